"""Tags over HTTP: exact counts whatever is done to them, on every file that carries them."""

import uuid
from collections import Counter

import pytest
from api_world import api, newcomer, sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

__all__ = ["api"]

pytestmark = pytest.mark.service

NAMES = ("a", "b", "Ä", "a b")


def call(api, me, method, path, status, **body):
    answer = api.request(method, f"/v1{path}", headers=me.headers, json=body or None)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def make(api, me, name, status=201, **more):
    return call(api, me, "POST", "/tags", status, tag_name=name, **more)


def tags_of(api, me, **query):
    answer = api.get("/v1/tags", headers=me.headers, params={"per_page": 200, **query})
    assert answer.status_code == 200, answer.text
    return {each["tag_name"]: each["usage_count"] for each in answer.json()["tags"]}


def upload(api, me, data, tags=()):
    fields = [("tags", (None, tag)) for tag in tags]
    answer = api.post(
        "/v1/files/upload", headers=me.headers, files=[("file", ("x.txt", data)), *fields]
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["file"]["id"]


def shown(api, me, file_id):
    return api.get(f"/v1/files/{file_id}", headers=me.headers).json()["file"]


def recounted(api, me):
    rows = sql(api, "SELECT unnest(tags) FROM files WHERE user_id = %s", me.id)
    return Counter(name for (name,) in rows)


def test_a_tag_is_made_shown_renamed_colored_and_deleted(api):
    me = newcomer(api, plan="pro")
    tag = make(api, me, " Vacation ", tag_color="#FF00AA")["tag"]
    assert (tag["tag_name"], tag["tag_color"], tag["usage_count"]) == ("Vacation", "#ff00aa", 0)
    file_id = upload(api, me, b"1", ["Vacation", "2024"])
    version = api.get(f"/v1/files/{file_id}", headers=me.headers).headers["ETag"]
    path = f"/tags/{tag['id']}"
    assert call(api, me, "GET", path, 200)["tag"]["usage_count"] == 1
    renamed = call(api, me, "PATCH", path, 200, tag_name="Holidays")["tag"]
    assert (renamed["id"], renamed["tag_name"], renamed["tag_color"]) == (
        tag["id"],
        "Holidays",
        "#ff00aa",
    )
    assert shown(api, me, file_id)["tags"] == ["Holidays", "2024"]
    stale = api.patch(
        f"/v1/files/{file_id}", headers=me.headers | {"If-Match": version}, json={"tags": []}
    )
    assert stale.status_code == 412
    assert call(api, me, "PATCH", path, 409, tag_name="2024")["detail"].endswith(
        "merge this one into it"
    )
    call(api, me, "DELETE", path, 204)
    assert shown(api, me, file_id)["tags"] == ["2024"]
    call(api, me, "GET", path, 404)


def test_a_merged_tag_is_on_a_file_once(api):
    me = newcomer(api, plan="pro")
    both, one = upload(api, me, b"1", ["x", "old", "new"]), upload(api, me, b"2", ["old", "y"])
    ids = {
        each["tag_name"]: each["id"]
        for each in api.get("/v1/tags", headers=me.headers).json()["tags"]
    }
    path = f"/tags/{ids['old']}/merge"
    call(api, me, "POST", path, 422, tag_name="nowhere")
    call(api, me, "POST", path, 422, tag_name="old")
    merged = call(api, me, "POST", path, 200, tag_name="new", tag_color="#000000")["tag"]
    assert (merged["id"], merged["usage_count"], merged["tag_color"]) == (ids["new"], 2, "#000000")
    assert shown(api, me, both)["tags"] == ["x", "new"]
    assert shown(api, me, one)["tags"] == ["new", "y"]
    assert tags_of(api, me) == {"new": 2, "x": 1, "y": 1}


def test_tags_are_listed_by_name_by_use_and_by_their_beginning(api):
    me = newcomer(api, plan="pro")
    for data, tags in ((b"1", ["Zoo", "all"]), (b"2", ["all"]), (b"3", ["alpha", "all", "Zoo"])):
        upload(api, me, data, tags)
    assert list(tags_of(api, me)) == ["all", "alpha", "Zoo"]
    assert list(tags_of(api, me, sort_by="usage_count")) == ["all", "Zoo", "alpha"]
    assert tags_of(api, me, q="AL") == {"all": 3, "alpha": 1}
    assert tags_of(api, me, q="%") == {}
    page = api.get("/v1/tags?per_page=2&page=2", headers=me.headers).json()
    assert [each["tag_name"] for each in page["tags"]] == ["Zoo"]
    assert (page["pagination"]["total"], page["pagination"]["pages"]) == (3, 2)


def test_plain_tags_have_no_colors_and_a_limit(api):
    me = newcomer(api)
    make(api, me, "plain", 403, tag_color="#000000")
    for number in range(20):
        make(api, me, f"t{number}")
    problem = make(api, me, "one more", 402)
    assert (problem["limit"], problem["allowed"]) == ("tags", 20)
    file_id = upload(api, me, b"1")
    call(api, me, "PATCH", f"/files/{file_id}", 402, tags=["one more"])
    call(api, me, "PATCH", f"/files/{file_id}", 200, tags=["t1"])
    call(api, me, "POST", "/files/bulk", 403, action="tag", file_ids=[file_id], tags=["t2"])
    make(api, me, "t1", 409)
    assert len(tags_of(api, me)) == 20


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a" * 101, 5])
def test_what_is_no_tag_is_refused(api, name):
    make(api, newcomer(api), name, 422)


def test_another_accounts_tags_stay_as_they_are(api):
    me, them = newcomer(api, plan="pro"), newcomer(api, plan="pro")
    mine, theirs = upload(api, me, b"1", ["same"]), upload(api, them, b"1", ["same"])
    [tag] = api.get("/v1/tags", headers=me.headers).json()["tags"]
    call(api, them, "DELETE", f"/tags/{tag['id']}", 404)
    call(api, me, "PATCH", f"/tags/{tag['id']}", 200, tag_name="mine")
    assert shown(api, me, mine)["tags"] == ["mine"]
    assert shown(api, them, theirs)["tags"] == ["same"]
    assert tags_of(api, them) == {"same": 1}


def test_counts_are_those_of_the_files_after_any_sequence(api):
    """R35: a thousand operations in all, drawn in sequences of up to 25."""
    seen = 0

    @settings(
        max_examples=50,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        derandomize=True,
    )
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(("file", "tag", "rename", "merge", "delete", "trash", "make")),
                st.sampled_from(NAMES),
                st.sampled_from(NAMES),
                st.integers(0, 3),
            ),
            min_size=15,
            max_size=25,
        )
    )
    def hold(steps):
        nonlocal seen
        me = newcomer(api, plan="pro")
        files = [upload(api, me, uuid.uuid4().bytes, tags) for tags in ((), ("a",), ("a", "b"))]
        for kind, first, second, number in steps:
            seen += 1
            listed = api.get("/v1/tags", headers=me.headers).json()["tags"]
            ids = {each["tag_name"]: each["id"] for each in listed}
            tag = f"/v1/tags/{ids.get(first, uuid.uuid4())}"
            file = f"/v1/files/{files[number % len(files)]}"
            method, path, body = {
                "file": ("PATCH", file, {"tags": [first, second]}),
                "tag": (
                    "POST",
                    "/v1/files/bulk",
                    {"action": "tag", "file_ids": files, "tags": [first]},
                ),
                "rename": ("PATCH", tag, {"tag_name": second}),
                "merge": ("POST", f"{tag}/merge", {"tag_name": second}),
                "delete": ("DELETE", tag, None),
                "trash": ("DELETE", file, None),
                "make": ("POST", "/v1/tags", {"tag_name": first}),
            }[kind]
            answer = api.request(method, path, headers=me.headers, json=body)
            assert answer.status_code < 500, answer.text
            counted = {name: n for name, n in tags_of(api, me).items() if n}
            assert counted == recounted(api, me)
            rows = sql(api, "SELECT tags FROM files WHERE user_id = %s", me.id)
            assert all(len(set(tags)) == len(tags) for (tags,) in rows)

    hold()
    assert seen >= 750
