"""Duplicates over HTTP: groups, totals, what may go and what stays, whose they are."""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_world import api, app_of, newcomer, sql
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from api.shell.storage import account_root_url

__all__ = ["api"]

pytestmark = pytest.mark.service

GROUP = {"hash", "original_file", "duplicates", "space_wasted_bytes"}


def sha(content):
    return hashlib.sha256(content.encode()).hexdigest()


class Shelf:
    """One account's files, by SQL, with their bytes in managed storage."""

    def __init__(self, api, *, plan="pro", kind="managed"):
        self.api = api
        self.who = newcomer(api, plan=plan)
        self.settings = app_of(api).state.settings
        self.kind = kind
        url = account_root_url(self.settings, self.who.id)
        self.folder = self.settings.home_path / "storage" / url.partition("/storage/")[2]
        self.folder.mkdir(parents=True, exist_ok=True)
        if kind == "connected":
            url = "file:///srv/connected"
        [(self.root,)] = sql(
            api,
            "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, %s, %s) RETURNING id::text",
            self.who.id,
            kind,
            url,
        )

    def put(self, content, *, name=None, category="Images", flagged=False):
        key = uuid.uuid4().hex
        (self.folder / key).write_text(content)
        [(file_id,)] = sql(
            self.api,
            "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path,"
            " storage_version, modified_ns, file_size_bytes, sha256_hash, hashed_at,"
            " coarse_category, is_duplicate)"
            " VALUES (%s, %s, %s, %s, 's', 'v', 0, %s, %s, now(), %s, %s) RETURNING id::text",
            self.who.id,
            self.root,
            key,
            name or key,
            len(content),
            sha(content),
            category,
            flagged,
        )
        return file_id

    def alike(self, original, *others, similarity=0.93):
        [(group,)] = sql(
            self.api,
            "INSERT INTO duplicate_groups (user_id, root_id, truth_class, group_key)"
            " VALUES (%s, %s, 'perceptual', %s) RETURNING id::text",
            self.who.id,
            self.root,
            f"image-{original}",
        )
        for file_id in (original, *others):
            sql(
                self.api,
                "INSERT INTO duplicate_members (group_id, file_id, is_keeper, similarity_ratio)"
                " VALUES (%s, %s, %s, %s)",
                group,
                file_id,
                file_id == original,
                1.0 if file_id == original else similarity,
            )

    def get(self, path="", **query):
        return self.api.get(f"/v1/duplicates{path}", params=query, headers=self.who.headers)

    def post(self, path, **body):
        return self.api.post(f"/v1/duplicates{path}", json=body, headers=self.who.headers)

    def live(self):
        rows = sql(
            self.api,
            "SELECT id::text, sha256_hash FROM files WHERE user_id = %s AND deleted_at IS NULL",
            self.who.id,
        )
        return dict(rows)


def ids_of(group):
    return {group["original_file"]["id"], *(each["file"]["id"] for each in group["duplicates"])}


def test_groups_have_the_specified_shape_and_totals_over_all_pages(api):
    shelf = Shelf(api)
    for content, copies in (("aaaa", 3), ("bb", 2), ("c", 1), ("", 2)):
        for _ in range(copies):
            shelf.put(content)
    first = shelf.get(per_page=1).json()
    second = shelf.get(per_page=1, page=2).json()
    for answer in (first, second):
        assert set(answer) == {
            "duplicate_groups",
            "total_duplicates",
            "total_space_wasted_gb",
            "pagination",
        }
        assert (answer["total_duplicates"], answer["total_space_wasted_gb"]) == (3, 10e-9)
        assert answer["pagination"]["total"] == 2
    (most,), (least,) = first["duplicate_groups"], second["duplicate_groups"]
    assert set(most) == GROUP
    assert (most["hash"], most["space_wasted_bytes"]) == (sha("aaaa"), 8)
    assert {frozenset(each) for each in most["duplicates"]} == {frozenset({"file", "similarity"})}
    assert [each["similarity"] for each in most["duplicates"]] == [1.0, 1.0]
    assert (least["hash"], least["space_wasted_bytes"]) == (sha("bb"), 2)
    beyond = shelf.get(page=9).json()
    assert (beyond["duplicate_groups"], beyond["total_duplicates"]) == ([], 3)


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1.1", "x"])
def test_a_threshold_that_is_no_ratio_is_invalid(api, value):
    assert Shelf(api).get(similarity_threshold=value).status_code == 422
    assert Shelf(api).get(min_size_mb="nan").status_code == 422


def test_lookalikes_want_a_plan_and_free_gets_equal_bytes_without_asking(api):
    free = Shelf(api, plan="free")
    one, other = free.put("one"), free.put("other")
    free.alike(one, other)
    refused = free.get(similarity_threshold=0.9)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert free.get().json()["duplicate_groups"] == []
    assert free.get(similarity_threshold=1).status_code == 200


def test_a_group_of_lookalikes_takes_the_copies_in_and_groups_are_disjoint(api):
    shelf = Shelf(api)
    keeper, copy = shelf.put("photo" * 3), shelf.put("photo" * 3, flagged=True)
    small, small_copy = shelf.put("small"), shelf.put("small", flagged=True)
    far = shelf.put("far")
    shelf.alike(keeper, small)
    lone = [shelf.put("zz"), shelf.put("zz")]
    near, exact = (shelf.get(similarity_threshold=t).json()["duplicate_groups"] for t in (0.9, 1.0))
    assert [ids_of(group) for group in near] == [{keeper, copy, small, small_copy}, set(lone)]
    assert near[0]["hash"] == sha("photo" * 3)
    assert near[0]["original_file"]["id"] == keeper
    assert [each["similarity"] for each in near[0]["duplicates"]] == [1.0, 0.93, 0.93]
    assert near[0]["space_wasted_bytes"] == 15 + 5 + 5
    assert {frozenset(ids_of(group)) for group in exact} == {
        frozenset({keeper, copy}),
        frozenset({small, small_copy}),
        frozenset(lone),
    }
    assert len(shelf.get(similarity_threshold=0.95).json()["duplicate_groups"]) == 3
    assert far not in {each for group in near for each in ids_of(group)}
    by_member = shelf.get(f"/{sha('small')}", similarity_threshold=0.9).json()
    assert ids_of(by_member["duplicate_group"]) == {keeper, copy, small, small_copy}


def test_filters_keep_groups_whole(api):
    shelf = Shelf(api)
    photos = {shelf.put("p" * 2_000_000), shelf.put("p" * 2_000_000, category="Others")}
    texts = {shelf.put("text", category="Documents"), shelf.put("text", category="Documents")}

    def shown(**query):
        return [ids_of(group) for group in shelf.get(**query).json()["duplicate_groups"]]

    assert shown(category="images") == [photos]
    assert shown(category="Documents") == [texts]
    assert shown(min_size_mb=1.5) == [photos]
    assert shown(min_size_mb=2.1) == []
    assert shown(category="Audio") == []


def test_deleting_leaves_the_original_and_counts_what_the_database_lost(api):
    shelf = Shelf(api)
    original, *copies = [shelf.put("same") for _ in range(3)]
    alone = shelf.put("alone")
    strange = Shelf(api).put("same")
    nobody = str(uuid.uuid4())
    named = [original, *copies, alone, strange, nobody]
    answer = shelf.post("/delete", file_ids=named, keep_original=True).json()
    assert set(answer) == {"deleted_count", "space_freed_bytes", "skipped", "jobs"}
    assert (answer["deleted_count"], answer["space_freed_bytes"]) == (2, 8)
    assert {each["file_id"]: each["reason"] for each in answer["skipped"]} == {
        original: "original",
        alone: "last_copy",
        strange: "not_found",
        nobody: "not_found",
    }
    assert set(shelf.live()) == {original, alone}
    trashed = sql(
        api,
        "SELECT count(*), min(purge_after - deleted_at) > interval '29 days' FROM files"
        " WHERE user_id = %s AND deleted_at IS NOT NULL",
        shelf.who.id,
    )
    assert trashed == [(2, True)]
    assert len(list(shelf.folder.iterdir())) == 4  # every byte is still there
    again = shelf.post("/delete", file_ids=copies).json()
    assert (again["deleted_count"], again["space_freed_bytes"]) == (0, 0)


def test_without_keep_original_all_of_a_group_may_go_but_nothing_that_is_no_duplicate(api):
    shelf = Shelf(api)
    group = [shelf.put("same"), shelf.put("same")]
    alone = shelf.put("alone")
    answer = shelf.post("/delete", file_ids=[*group, alone], keep_original=False).json()
    assert answer["deleted_count"] == 2
    assert [each["reason"] for each in answer["skipped"]] == ["not_a_duplicate"]
    assert set(shelf.live()) == {alone}


def test_nothing_goes_when_the_file_that_stays_is_not_in_the_storage(api):
    shelf = Shelf(api)
    original, copy = shelf.put("same"), shelf.put("same")
    [(key,)] = sql(api, "SELECT storage_key FROM files WHERE id = %s", original)
    (shelf.folder / key).write_text("sam")
    answer = shelf.post("/delete", file_ids=[copy]).json()
    assert answer["deleted_count"] == 0
    assert answer["skipped"] == [{"file_id": copy, "reason": "changed"}]
    assert set(shelf.live()) == {original, copy}


def test_two_requests_at_once_leave_one_file(api):
    shelf = Shelf(api)
    ids = [shelf.put("same") for _ in range(6)]

    def ask(part):
        return shelf.post("/delete", file_ids=part, keep_original=True).json()["deleted_count"]

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(ask, [ids[:4], ids[2:], ids[::2], ids, ids[1:], ids[3:]]))
    assert sum(counts) == 5
    assert len(shelf.live()) == 1


def test_resolving_keeps_what_was_chosen_and_decides_it_for_good(api):
    shelf = Shelf(api)
    keeper, like = shelf.put("photo"), shelf.put("photograph")
    shelf.alike(keeper, like)
    path = f"/{sha('photo')}/resolve"
    assert shelf.post(path, keep=[like], action="link").status_code == 422
    assert shelf.post(path, keep=[str(uuid.uuid4())]).status_code == 422
    answer = shelf.post(path, keep=[like], action="trash").json()
    assert (answer["deleted_count"], answer["space_freed_bytes"]) == (1, 5)
    assert set(shelf.live()) == {like}
    decided = sql(
        api, "SELECT kind, sha256 FROM duplicate_decisions WHERE user_id = %s", shelf.who.id
    )
    assert decided == [("keep", sha("photograph"))]
    assert shelf.post(path, keep=[like]).status_code == 404


def test_an_ignored_group_is_not_shown_until_it_is_taken_back(api):
    shelf = Shelf(api)
    for content in ("same", "same", "photo"):
        shelf.put(content)
    path = f"/{sha('same')}/ignore"
    assert shelf.post(path).status_code == 204
    assert shelf.get().json()["total_duplicates"] == 0
    assert shelf.get(f"/{sha('same')}").status_code == 200
    headers = shelf.who.headers
    assert api.delete(f"/v1/duplicates{path}", headers=headers).status_code == 204
    assert api.delete(f"/v1/duplicates{path}", headers=headers).status_code == 404
    assert shelf.get().json()["total_duplicates"] == 1


def test_ignored_lookalikes_are_none(api):
    shelf = Shelf(api)
    keeper, like = shelf.put("photo"), shelf.put("photograph")
    shelf.alike(keeper, like)
    assert len(shelf.get().json()["duplicate_groups"]) == 1
    assert shelf.post(f"/{sha('photo')}/ignore").status_code == 204
    assert shelf.get().json()["duplicate_groups"] == []


def test_a_scan_is_a_job_with_its_launch_in_one_transaction(api):
    shelf = Shelf(api)
    answer = shelf.post("/scan", near=True)
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/v1/organize/jobs/{job['id']}"
    assert job["status"] == "pending"
    rows = sql(
        api,
        "SELECT j.kind, j.user_id::text, o.payload ->> 'deployment',"
        " j.entitlement_snapshot ->> 'plan' FROM organization_jobs j"
        " JOIN outbox_events o ON o.job_id = j.id WHERE j.id = %s",
        job["id"],
    )
    assert rows == [("reindex", shelf.who.id, "near-duplicates/near-duplicates", "pro")]
    assert Shelf(api, plan="free").post("/scan", near=True).status_code == 403
    assert shelf.post("/scan", source_path=f"{uuid.uuid4()}:/").status_code == 404
    assert shelf.post("/scan", source_path="/uploads/some").status_code == 422
    assert shelf.post("/scan", source_path="/etc").status_code == 422


def test_connected_folders_are_left_to_a_job(api, monkeypatch):
    monkeypatch.setattr("api.duplicates.service.WAIT_S", 0.0)
    shelf = Shelf(api, kind="connected")
    _, copy = shelf.put("same"), shelf.put("same")
    answer = shelf.post("/delete", file_ids=[copy]).json()
    assert answer["deleted_count"] == 0
    (job,) = answer["jobs"]
    assert job["status"] == "pending"
    rows = sql(
        api,
        "SELECT kind, approves_itself, options -> 'removal' -> 'groups' ->> 0,"
        " jsonb_array_length(options -> 'removal' -> 'files') FROM organization_jobs",
    )
    assert rows == [("deduplicate", True, sha("same"), 1)]
    assert len(shelf.live()) == 2


def test_another_account_finds_and_changes_nothing(api):
    mine, other = Shelf(api), Shelf(api)
    ids = [mine.put("same"), mine.put("same")]
    path = f"/{sha('same')}"
    assert other.get(path).status_code == 404
    assert other.post(f"{path}/resolve", keep=ids[:1]).status_code == 404
    assert other.post(f"{path}/ignore").status_code == 404
    answer = other.post("/delete", file_ids=ids, keep_original=False).json()
    assert answer["deleted_count"] == 0
    assert {each["reason"] for each in answer["skipped"]} == {"not_found"}
    assert len(mine.live()) == 2
    assert mine.get().json()["total_duplicates"] == 1


def test_without_a_token_nothing_is_answered(api):
    for method, path in (("GET", ""), ("POST", "/delete"), ("POST", "/scan")):
        assert api.request(method, f"/v1/duplicates{path}").status_code == 401


class Deleting(RuleBasedStateMachine):
    """Any sequence of uploads, removals and restores over HTTP: no content ever goes wholly."""

    shelf: Shelf

    def __init__(self):
        super().__init__()
        sql(self.shelf.api, "DELETE FROM files WHERE user_id = %s", self.shelf.who.id)
        self.known = []

    @rule(content=st.sampled_from(["a", "bb", "ccc"]))
    def upload(self, content):
        self.known.append(self.shelf.put(content))

    @rule(picks=st.lists(st.integers(0, 30), min_size=1, max_size=6))
    def delete(self, picks):
        named = [self.known[n % len(self.known)] for n in picks] if self.known else []
        if not named:
            return
        before = self.shelf.live()
        answer = self.shelf.post("/delete", file_ids=named, keep_original=True).json()
        after = self.shelf.live()
        assert set(after.values()) == set(before.values())
        assert answer["deleted_count"] == len(before) - len(after)

    @rule(pick=st.integers(0, 30))
    def restore(self, pick):
        if self.known:
            sql(
                self.shelf.api,
                "UPDATE files SET deleted_at = NULL, purge_after = NULL WHERE id = %s",
                self.known[pick % len(self.known)],
            )

    @rule()
    def look(self):
        found = self.shelf.get(similarity_threshold=1, per_page=200).json()
        live = self.shelf.live()
        assert found["total_duplicates"] == len(live) - len(set(live.values()))


def test_no_sequence_of_requests_takes_the_last_copy(api):
    Deleting.shelf = Shelf(api)
    run_state_machine_as_test(
        Deleting,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
