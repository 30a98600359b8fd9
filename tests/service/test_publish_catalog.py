"""What a job found and did is in the catalog and in the warehouse, with the same numbers."""

import hashlib
import json
import uuid
from dataclasses import asdict, replace

import psycopg
import pytest

from models.domain.categories import CategoryRow
from models.domain.duplicates import DuplicateRow
from models.domain.errors import BrokenError
from models.domain.fingerprint import Fingerprint, index_profile
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.manifest import ManifestRow
from models.domain.operations import FolderRow, Operation, OperationState, Outcome
from models.domain.table_refs import TableRef
from tasks.apply.undo import undo_operations
from tasks.ledger.ledger import Ledger
from tasks.manifest.core import compare
from tasks.publish.roots import IndexRefs
from tasks.publish.staging import staged
from tasks.publish.task import judge_run, publish_catalog, to_catalog, to_warehouse
from warehouse.asking import ask
from warehouse.catalog import named_queries
from warehouse.quality.invariants import measures, violations
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake
from warehouse.store.publishing import Verdict, rows_at_rest

pytestmark = pytest.mark.service
TRASH = ".fileorganizer/trash"
PROFILE = index_profile(read_gps=False)


class World:
    """A lake, a ledger and roots that exist on paper: {root: {key: (content, category)}}."""

    def __init__(self, lake, database_url):
        self.lake, self.ledger, self.url = lake, Ledger(database_url), database_url
        self.roots = {name: self.ledger.root_for(f"file:///{name}") for name in ("in", "out")}
        self.files = {"in": {}, "out": {}}
        self.clock = 0

    def put(self, root, key, content, category="Photos"):
        self.clock += 1
        self.files[root][key] = (content, category, f"{self.clock}-{self.clock}000-{self.clock}")

    def job(self, kind, source="in", destination=None, target=None):
        job = Job(
            id=str(uuid.uuid4()),
            kind=kind,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=self.roots[source].url,
            destination_url=self.roots[destination or source].url,
            source_root_id=self.roots[source].id,
            destination_root_id=self.roots[destination or source].id,
            target_job_id=target,
        )
        self.ledger.create_job(job)
        epoch = self.ledger.acquire_lease(job.id, "worker", 60)
        self.ledger.set_status(job.id, JobStatus.RUNNING)
        return self.ledger.job(job.id), epoch

    def fingerprints(self, root):
        return [
            Fingerprint(
                key=key,
                size_bytes=len(content),
                modified_ns=int(version.split("-")[1]),
                version=version,
                device=1,
                inode=int(version.split("-")[0]),
                md5=hashlib.md5(content.encode()).hexdigest(),  # noqa: S324 - as the product does
                sha256=sha(content),
                mime="image/jpeg",
                media="image",
                width=3,
                title=f'"{content}",}}',
                captured_at="2021-02-03T04:05:06",
                captured_source="exif",
            )
            for key, (content, _, version) in sorted(self.files[root].items())
        ]

    def index(self, job, root, *, alike=None):
        """What fingerprint, categorize and dedupe would have made of the root.

        `alike` names pairs of a keeper and its near-duplicate; None when nobody looked.
        """
        files = self.fingerprints(root)
        categories = [
            CategoryRow(
                key=file.key,
                category=self.files[root][file.key][1],
                subcategory=None,
                coarse_category="Images",
                confidence_ratio=0.9,
                reason="by its name",
                decided_by="rule",
            )
            for file in files
        ]
        groups = {}
        for file in files:
            groups.setdefault(file.sha256, []).append(file)
        members = [
            DuplicateRow(
                group_id=digest,
                key=file.key,
                is_keeper=at == 0,
                truth_class="full_hash",
                similarity_ratio=1.0,
                size_bytes=file.size_bytes,
                is_hardlink=False,
                wasted_bytes=file.size_bytes if at else 0,
                keep_reason="shortest path",
                is_removable=at > 0,
            )
            for digest, group in sorted(groups.items())
            if len(group) > 1
            for at, file in enumerate(group)
        ]
        made = {
            "fingerprints": (files, Fingerprint),
            "categories": (categories, CategoryRow),
            "duplicates": (members, DuplicateRow),
        }
        if alike is not None:
            made["near"] = (self.near_members(root, alike), DuplicateRow)
        refs = {
            name: self.lake.write_part(
                to_table(rows, row), uri=f"runs/{job.id}/{PROFILE}/{name}.parquet", table_name=name
            )
            for name, (rows, row) in made.items()
        }
        document = {name: asdict(ref) for name, ref in refs.items()}
        self.lake.write_blob(f"runs/{job.id}/index.json", json.dumps(document).encode())
        return IndexRefs(**refs)

    def near_members(self, root, alike):
        return [
            DuplicateRow(
                group_id=f"image-{sha(self.files[root][keeper][0])}",
                key=key,
                is_keeper=key == keeper,
                truth_class="perceptual",
                similarity_ratio=1.0 if key == keeper else 0.9,
                size_bytes=len(self.files[root][key][0]),
                is_hardlink=False,
                wasted_bytes=0 if key == keeper else len(self.files[root][key][0]),
                keep_reason="highest quality",
            )
            for keeper, members in sorted(alike.items())
            for key in (keeper, *members)
        ]

    def apply(self, job, epoch, operations):
        """Journal operations and carry them out on paper; one whose state is set stays as it is."""
        by_url = {root.url: name for name, root in self.roots.items()}
        self.ledger.begin(job.id, operations, [FolderRow(key="", url=job.source_url, existed=True)])
        outcomes = []
        for each in operations:
            source, target = by_url[each.source_url], by_url[each.destination_url]
            trash = self.files.setdefault(f"trash of {source}", {})
            place = trash if each.source_key.startswith(TRASH) else self.files[source]
            content, category, version = place[each.source_key]
            if each.reason == "fails":
                outcomes.append(Outcome(seq=each.seq, state=OperationState.FAILED, error="full"))
                continue
            inode, modified, _ = version.split("-")
            self.clock += 1
            new = f"{inode if source == target else 900 + self.clock}-{modified}-{self.clock}"
            there = self.files.setdefault(f"trash of {target}", {})
            there = there if each.destination_key.startswith(TRASH) else self.files[target]
            if each.action != "copy":
                del place[each.source_key]
            if each.action != "remove":
                there[each.destination_key] = (content, category, new)
            outcomes.append(
                Outcome(seq=each.seq, state=OperationState.DONE, destination_version=new)
            )
        self.ledger.record(job.id, epoch, outcomes)

    def operation(self, job, seq, action, place, target, reason="because"):  # noqa: PLR0917 - a row
        (source, key), (root, new) = place, target
        content, _, version = self.files[source][key]
        return Operation(
            job_id=job.id,
            seq=seq,
            unit_id=str(seq),
            action=action,
            source_url=self.roots[source].url,
            source_key=key,
            destination_url=self.roots[root].url,
            destination_key=new,
            size_bytes=len(content),
            modified_ns=int(version.split("-")[1]),
            sha256=sha(content),
            version=version,
            reason=reason,
        )

    def publish(self, job, refs=None, judge=None):
        """Publish both, twice: the second time changes nothing."""
        root_id = job.source_root_id
        found = staged(self.lake, self.ledger, job.id, root_id, refs)
        judge = judge or self.sound
        first = to_catalog(self.lake, self.ledger, job.id, found)
        counts = first | to_warehouse(self.lake, self.ledger, job.id, found, judge)
        before = self.rows()
        again = staged(self.lake, self.ledger, job.id, root_id, refs)
        assert again == found
        second = to_catalog(self.lake, self.ledger, job.id, again)
        to_warehouse(self.lake, self.ledger, job.id, again, judge)
        changes = {name for name, count in second.items() if count}
        assert changes <= {"catalog_unchanged", "duplicate_members"}
        assert self.rows() == before
        return counts

    def sound(self, run):
        found = measures(rows_at_rest(self.lake, run.run_id), run)
        return Verdict(expectations=len(found), failures=violations(found))

    def rows(self):
        names = ("dim_file", "fact_job", "fact_operation", "fact_duplicate", "fact_category")
        return {name: ask(self.lake, f"SELECT count(*) FROM {name}").rows for name in names}

    def sql(self, query, *parameters):
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(query, parameters).fetchall()

    def check(self):
        """Postgres, warehouse, index and what is there say the same of every root."""
        for name, root in self.roots.items():
            there = {
                key: (sha(content), category, version)
                for key, (content, category, version) in self.files[name].items()
            }
            catalog = self.sql(
                "SELECT storage_key, sha256_hash, category, storage_version FROM files "
                "WHERE root_id = %s AND deleted_at IS NULL",
                root.id,
            )
            assert {row[0]: tuple(row[1:]) for row in catalog} == there
            shown = ask(
                self.lake,
                "SELECT key, sha256, category, version FROM files WHERE root_id = $root",
                parameters={"root": root.id},
            ).rows
            assert {row[0]: row[1:] for row in shown} == there
            self.check_counts(root)
            self.check_index(name, root)

    def check_counts(self, root):
        counts = self.ledger.catalog_counts(root.id)
        files = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM files WHERE root_id = $root"
        wasted = (
            "SELECT count(*) FILTER (NOT is_keeper), coalesce(sum(wasted_bytes), 0) "
            "FROM duplicates WHERE root_id = $root AND truth_class = 'full_hash'"
        )
        of_root = {"root": root.id}
        shown = (
            *ask(self.lake, files, parameters=of_root).rows[0],
            *ask(self.lake, wasted, parameters=of_root).rows[0],
        )
        keys = ("files", "bytes", "duplicates", "space_wasted_bytes")
        assert tuple(counts[key] for key in keys) == shown
        groups = self.sql(
            "SELECT count(*), coalesce(sum(files_count), 0), coalesce(sum(wasted_bytes), 0)::bigint"
            " FROM duplicate_groups WHERE root_id = %s",
            root.id,
        )
        told = (
            "SELECT count(DISTINCT group_id), count(*), coalesce(sum(wasted_bytes), 0) "
            "FROM duplicates WHERE root_id = $root"
        )
        assert groups == list(ask(self.lake, told, parameters=of_root).rows)

    def check_index(self, name, root):
        """The next listing of the root opens no file."""
        last = self.ledger.last_index(root.id)
        listing = [
            ManifestRow(**{field: getattr(row, field) for field in ManifestRow.__slots__})
            for row in self.fingerprints(name)
        ]
        if last is None:
            assert listing == []
            return
        assert f"/{PROFILE}/" in last.uri
        index = self.lake.read(last)
        found = compare(to_table(listing, ManifestRow), index, verify=False)
        assert (found.changed.num_rows, found.vanished) == (0, 0)
        titles = {row.sha256: row.title for row in self.fingerprints(name)}
        known = to_rows(index.filter(found.holds), Fingerprint)
        assert {row.sha256: row.title for row in known} == titles


def sha(content):
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.fixture
def world(tmp_path, database_url):
    world = World(open_lake(str(tmp_path)), database_url)
    for key, content in {"a.jpg": "one", "b.jpg": "two", "c/d.jpg": "two", "e": "four!"}.items():
        world.put("in", key, content)
    return world


def reindex(world, root="in"):
    job, _ = world.job(JobKind.REINDEX, root)
    return job, world.publish(job, world.index(job, root))


def test_an_indexed_root_is_published(world):
    job, counts = reindex(world)
    assert counts["catalog_inserted"] == 4
    assert counts["duplicate_members"] == 2
    assert counts["rows_published"] == 4 + 1 + 2 + 4 + 1
    world.check()
    details = world.sql("SELECT metadata FROM files WHERE storage_key = 'a.jpg'")[0][0]
    assert (details["title"], details["width"]) == ('"one",}', 3)
    assert "height" not in details
    linked = world.sql(
        "SELECT f.storage_key, k.storage_key FROM files f JOIN files k ON k.id = f.duplicate_of"
    )
    assert linked == [("c/d.jpg", "b.jpg")]
    row = ask(world.lake, "SELECT run_id, kind, files_count, wasted_bytes FROM fact_job").rows
    assert row == ((job.id, "reindex", 4, 3),)


def test_a_second_index_tells_only_what_changed(world):
    reindex(world)
    _, counts = reindex(world)
    assert (counts["catalog_unchanged"], counts["catalog_updated"]) == (4, 0)
    assert ask(world.lake, "SELECT count(*) FROM dim_file").rows == ((4,),)
    world.put("in", "a.jpg", "changed")
    del world.files["in"]["e"]
    world.put("in", "new", "one")
    _, counts = reindex(world)
    changed = ("catalog_inserted", "catalog_updated", "catalog_unchanged", "catalog_deleted")
    assert tuple(counts[name] for name in changed) == (1, 1, 2, 1)
    assert ask(world.lake, "SELECT count(*) FROM dim_file").rows == ((7,),)
    world.check()


def organize(world, target="in"):
    """Move a and b, trash the duplicate of b, and fail on e."""
    job, epoch = world.job(JobKind.ORGANIZE, "in", target)
    refs = world.index(job, "in")
    planned = [
        ("move", "a.jpg", target, "Photos/a.jpg"),
        ("move", "b.jpg", target, "Photos/b.jpg"),
        ("trash", "c/d.jpg", "in", f"{TRASH}/{job.id}/c/d.jpg"),
        ("move", "e", target, "Photos/e"),
    ]
    done = [
        world.operation(job, seq, action, ("in", key), place, "fails" if key == "e" else "moves")
        for seq, (action, key, *place) in enumerate(planned)
    ]
    world.apply(job, epoch, done)
    return job, world.publish(job, refs)


def undo(world, target):
    job, epoch = world.job(
        JobKind.UNDO,
        "in",
        "in" if target.source_root_id == target.destination_root_id else "out",
        target=target.id,
    )
    inverse = undo_operations(world.ledger.operations(target.id), job_id=job.id)
    world.apply(job, epoch, inverse)
    return job, world.publish(job)


@pytest.mark.parametrize("target", ["in", "out"])
@pytest.mark.parametrize("is_known", [True, False])
def test_files_are_published_where_a_job_put_them_and_back(world, target, is_known):
    if is_known:
        reindex(world)
    before = {name: dict(files) for name, files in world.files.items()}
    live = "SELECT storage_key, id FROM files WHERE deleted_at IS NULL ORDER BY 1"
    ids = world.sql(live)
    job, counts = organize(world, target)
    assert sorted(world.files[target]) == (
        ["Photos/a.jpg", "Photos/b.jpg", "e"]
        if target == "in"
        else ["Photos/a.jpg", "Photos/b.jpg"]
    )
    world.check()
    assert counts["duplicate_members"] == 0
    if is_known:
        moved = dict(world.sql(live))
        names = {"a.jpg": "Photos/a.jpg", "b.jpg": "Photos/b.jpg"}
        kept = [moved[names[key]] for key, _ in ids if key in names]
        assert kept == [identity for key, identity in ids if key in names]
    row = ask(
        world.lake,
        "SELECT status, done_count, errors_count FROM fact_job WHERE run_id = $j",
        parameters={"j": job.id},
    ).rows
    assert row == (("completed_with_errors", 3, 1),)
    undo_job, _ = undo(world, job)
    for name, files in before.items():
        there = {key: value[:2] for key, value in world.files[name].items()}
        assert there == {key: value[:2] for key, value in files.items()}
    world.check()
    undone = ask(
        world.lake, "SELECT undone_by FROM fact_job WHERE run_id = $job", parameters={"job": job.id}
    ).rows
    assert undone == ((undo_job.id,),)
    if is_known:
        assert (
            world.sql("SELECT storage_key, id FROM files WHERE deleted_at IS NULL ORDER BY 1")
            == ids
        )
        assert counts["catalog_moved"] == 2


def test_what_came_while_a_plan_waited_is_not_gone(world):
    job, epoch = world.job(JobKind.ORGANIZE)
    refs = world.index(job, "in")
    world.put("in", "late", "late")
    world.put("in", "a.jpg", "edited")
    later, _ = world.job(JobKind.REINDEX)
    world.publish(later, world.index(later, "in"))
    world.apply(job, epoch, [world.operation(job, 0, "move", ("in", "b.jpg"), ("in", "P/b.jpg"))])
    world.publish(job, refs)
    assert {"late", "a.jpg", "P/b.jpg"} <= set(world.files["in"])
    world.check()


def test_copies_displacements_and_chains_are_followed(world):
    world.put("in", "P/a.jpg", "other", "Scans")
    world.put("in", "x", "ex")
    reindex(world)
    world.clock += 1
    job, epoch = world.job(JobKind.ORGANIZE)
    refs = world.index(job, "in")
    operations = [
        world.operation(job, 0, "displace", ("in", "P/a.jpg"), ("in", "P/a (1).jpg")),
        world.operation(job, 1, "move", ("in", "a.jpg"), ("in", "P/a.jpg")),
        world.operation(job, 2, "copy", ("in", "e"), ("in", "P/e")),
        world.operation(job, 3, "move", ("in", "x"), ("in", "y")),
    ]
    onward = replace(operations[3], seq=4, source_key="y", destination_key="z")
    world.apply(job, epoch, [*operations, onward])
    world.publish(job, refs)
    assert set(world.files["in"]) == {
        "P/a.jpg",
        "P/a (1).jpg",
        "b.jpg",
        "c/d.jpg",
        "e",
        "P/e",
        "z",
    }
    world.check()


def test_duplicates_between_moved_files_and_those_that_were_there(world):
    world.put("out", "old.jpg", "one")
    world.put("out", "old too.jpg", "one")
    reindex(world, "out")
    organize(world, "out")
    world.check()
    keepers = ask(world.lake, "SELECT key FROM duplicates WHERE is_keeper").rows
    assert len(keepers) == 1


def test_great_expectations_judge_what_is_published(world, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", world.url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", world.lake.url)
    reindex(world)
    job, epoch = world.job(JobKind.ORGANIZE)
    refs = world.index(job, "in")
    world.apply(job, epoch, [world.operation(job, 0, "move", ("in", "b.jpg"), ("in", "P/b.jpg"))])
    parts = (refs.fingerprints, refs.categories, refs.duplicates)
    counts = publish_catalog.fn(job.id, job.source_root_id, *parts)
    assert counts["catalog_moved"] == 1
    shown = world.publish(job, refs, judge=lambda run: Verdict(**judge_run.fn(run)))
    assert shown["expectations_met"] > 100
    world.check()


def test_a_run_in_quarantine_fails_the_job_and_keeps_the_index(world):
    job, _ = world.job(JobKind.REINDEX)
    refs = world.index(job, "in")
    rows = to_rows(world.lake.read(refs.duplicates), DuplicateRow)
    wrong = [replace(row, wasted_bytes=-5) for row in rows]
    part = world.lake.write_part(
        to_table(wrong, DuplicateRow), uri=refs.duplicates.uri, table_name="duplicates"
    )
    found = staged(
        world.lake, world.ledger, job.id, job.source_root_id, replace(refs, duplicates=part)
    )
    for _ in range(2):
        with pytest.raises(BrokenError, match="quarantine: fact_duplicate 0: expect_column_values"):
            to_warehouse(
                world.lake,
                world.ledger,
                job.id,
                found,
                lambda run: Verdict(
                    expectations=1,
                    failures=("fact_duplicate 0: expect_column_values_to_be_between",),
                ),
            )
    assert world.ledger.last_index(job.source_root_id) is None
    assert ask(world.lake, "SELECT count(*) FROM files").rows == ((0,),)
    assert ask(world.lake, "SELECT status FROM published_runs").rows == (("quarantined",),)


def lookalikes(world):
    """Members of near groups: as the warehouse shows them, and as Postgres does."""
    shown = ask(
        world.lake,
        "SELECT key, is_keeper, similarity_ratio FROM duplicates"
        " WHERE truth_class = 'perceptual' ORDER BY key",
    ).rows
    held = world.sql(
        "SELECT f.storage_key, m.is_keeper, m.similarity_ratio FROM duplicate_members m"
        " JOIN duplicate_groups g ON g.id = m.group_id JOIN files f ON f.id = m.file_id"
        " WHERE g.truth_class = 'perceptual' ORDER BY 1"
    )
    assert list(shown) == held
    world.check()
    return held


def test_near_groups_are_published_beside_exact_ones_and_counted_apart(world):
    job, _ = world.job(JobKind.REINDEX)
    counts = world.publish(job, world.index(job, "in", alike={"a.jpg": ["b.jpg"]}))
    assert counts["duplicate_members"] == 4
    assert lookalikes(world) == [("a.jpg", True, 1.0), ("b.jpg", False, 0.9)]
    query = named_queries()["space_wasted_by_lookalikes"].sql
    root = world.roots["in"].id
    assert ask(world.lake, query).rows == ((root, "image", "perceptual", 1, 1, 0.9, 3),)
    row = ask(world.lake, "SELECT duplicates_count, wasted_bytes FROM fact_job").rows
    assert row == ((1, 3),)


def test_near_groups_follow_their_files_until_somebody_looks_again(world):
    job, _ = world.job(JobKind.REINDEX)
    world.put("in", "edited", "before")
    world.publish(job, world.index(job, "in", alike={"a.jpg": ["b.jpg", "edited"]}))
    world.put("in", "edited", "after!")
    organized, _ = organize(world)
    moved = [("Photos/a.jpg", True, 1.0), ("Photos/b.jpg", False, 0.9)]
    assert lookalikes(world) == moved
    reindex(world)
    assert lookalikes(world) == moved
    undo(world, organized)
    assert lookalikes(world) == [("a.jpg", True, 1.0), ("b.jpg", False, 0.9)]
    again, _ = world.job(JobKind.REINDEX)
    world.publish(again, world.index(again, "in", alike={}))
    assert lookalikes(world) == []


def test_near_groups_of_media_that_nobody_looked_at_go_on(world):
    first, _ = world.job(JobKind.REINDEX)
    world.publish(first, world.index(first, "in", alike={"a.jpg": ["b.jpg"]}))
    sounds, _ = world.job(JobKind.REINDEX)
    refs = replace(world.index(sounds, "in", alike={}), media=frozenset({"audio"}))
    world.publish(sounds, refs)
    assert lookalikes(world) == [("a.jpg", True, 1.0), ("b.jpg", False, 0.9)]
    pictures, _ = world.job(JobKind.REINDEX)
    refs = replace(world.index(pictures, "in", alike={}), media=frozenset({"image"}))
    world.publish(pictures, refs)
    assert lookalikes(world) == []


def test_without_its_keeper_there_is_no_near_group(world):
    job, _ = world.job(JobKind.REINDEX)
    alike = {"a.jpg": ["b.jpg", "e"]}
    world.publish(job, world.index(job, "in", alike=alike))
    removal, epoch = world.job(JobKind.DEDUPLICATE)
    refs = world.index(removal, "in", alike=alike)
    trash = f"{TRASH}/{removal.id}/a.jpg"
    world.apply(
        removal, epoch, [world.operation(removal, 0, "trash", ("in", "a.jpg"), ("in", trash))]
    )
    world.publish(removal, refs)
    assert lookalikes(world) == []
    undo(world, removal)
    assert [row[0] for row in lookalikes(world)] == ["a.jpg", "b.jpg", "e"]


def tags(world):
    rows = world.sql("SELECT storage_key, tags FROM files WHERE deleted_at IS NULL ORDER BY 1")
    return dict(rows)


@pytest.mark.scenario(37)
def test_scenario_37_the_keeper_has_the_tags_of_what_was_removed_until_that_is_undone(world):
    world.put("in", "x/b.jpg", "two")
    reindex(world)
    given = {"b.jpg": ["sea"], "c/d.jpg": ["sea", "anna"], "x/b.jpg": ["anna", "2020"]}
    for key, names in given.items():
        world.sql("UPDATE files SET tags = %s WHERE storage_key = %s RETURNING 1", names, key)
    before = tags(world)
    removal, epoch = world.job(JobKind.DEDUPLICATE)
    refs = world.index(removal, "in")
    operations = [
        replace(
            world.operation(
                removal, seq, "trash", ("in", key), ("in", f"{TRASH}/{removal.id}/{key}")
            ),
            keeper_key="b.jpg",
        )
        for seq, key in enumerate(["c/d.jpg", "x/b.jpg"])
    ]
    world.apply(removal, epoch, operations)
    world.publish(removal, refs)
    assert tags(world) == {"a.jpg": [], "b.jpg": ["sea", "2020", "anna"], "e": []}
    receipts = [each.receipt for each in world.ledger.operations(removal.id)]
    assert [json.loads(each["tags_given"]) for each in receipts] == [["anna"], ["2020", "anna"]]
    world.sql(
        "UPDATE files SET tags = tags || 'mine'::text WHERE storage_key = 'b.jpg' RETURNING 1"
    )
    undo(world, removal)
    assert tags(world) == {**before, "b.jpg": ["sea", "mine"]}
    world.check()


@pytest.mark.scenario(37)
def test_scenario_37_a_tag_stays_while_another_that_gave_it_is_still_gone(world):
    world.put("in", "x/b.jpg", "two")
    reindex(world)
    for key in ("c/d.jpg", "x/b.jpg"):
        world.sql("UPDATE files SET tags = '{anna}' WHERE storage_key = %s RETURNING 1", key)
    removal, epoch = world.job(JobKind.DEDUPLICATE)
    refs = world.index(removal, "in")
    operations = [
        replace(
            world.operation(
                removal, seq, "trash", ("in", key), ("in", f"{TRASH}/{removal.id}/{key}")
            ),
            keeper_key="b.jpg",
        )
        for seq, key in enumerate(["c/d.jpg", "x/b.jpg"])
    ]
    world.apply(removal, epoch, operations)
    world.publish(removal, refs)
    job, epoch = world.job(JobKind.UNDO, target=removal.id)
    inverse = undo_operations(world.ledger.operations(removal.id), job_id=job.id)
    world.apply(job, epoch, [replace(inverse[0], seq=0), replace(inverse[1], reason="fails")])
    world.publish(job)
    assert tags(world)["b.jpg"] == ["anna"]


def test_what_is_staged_is_frozen(world):
    job, _ = world.job(JobKind.REINDEX)
    refs = world.index(job, "in")
    first = staged(world.lake, world.ledger, job.id, job.source_root_id, refs)
    world.ledger.set_progress(job.id, phase="publishing", progress_ratio=0.95)
    assert staged(world.lake, world.ledger, job.id, job.source_root_id, refs) == first
    assert isinstance(first.run.tables["fact_job"], TableRef)
