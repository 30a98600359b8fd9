"""The catalog: merged in bulk, repeatable, keeping what a file is when it moves."""

import uuid

import psycopg
import pyarrow as pa
import pytest

from models.domain.catalog import CatalogChanges, CatalogRow, KnownFile
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.jobs import Job, JobKind, JobStatus
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table

pytestmark = pytest.mark.service

HARD_NAMES = (
    "a\n\\.\nb.TXT",
    "q\"u,o'te.jpg",
    "\\N",
    "tab\t.x",
    ".hidden",
    "x.tar.gz",
    "é/e\u0301",
)


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def new_job(ledger, into="file:///in"):
    source, destination = ledger.root_for("file:///in"), ledger.root_for(into)
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=JobKind.ORGANIZE,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=source.url,
            destination_url=destination.url,
            source_root_id=source.id,
            destination_root_id=destination.id,
        )
    )


def row(key, **values):
    plain = {
        "key": key,
        "size_bytes": 3,
        "modified_ns": 1_700_000_000_000_000_001,
        "version": f"v-{key}",
        "mime": "text/plain",
        "md5": "m" * 32,
        "sha256": "a" * 64,
        "category": "Work",
        "coarse_category": "Documents",
    }
    return CatalogRow(**{**plain, **values})


def table(*rows):
    return to_table(rows, CatalogRow)


def changes(**counts):
    return CatalogChanges(
        **{"inserted": 0, "updated": 0, "unchanged": 0, "moved": 0, "deleted": 0, **counts}
    )


def ids(connection):
    rows = connection.execute("SELECT storage_key, id FROM files WHERE deleted_at IS NULL")
    return dict(rows.fetchall())


def test_files_are_known_afterwards_whatever_their_names(ledger):
    job = new_job(ledger)
    rows = [row(name, sha256=None if name == "\\N" else "b" * 64) for name in HARD_NAMES]
    assert ledger.publish_files(job, table(*rows)) == changes(inserted=len(rows))
    known = to_rows(ledger.known_files(job.source_root_id), KnownFile)
    expected = [
        KnownFile(
            key=r.key,
            size_bytes=r.size_bytes,
            modified_ns=r.modified_ns,
            version=r.version,
            sha256=r.sha256,
        )
        for r in sorted(rows, key=lambda r: r.key.encode())
    ]
    assert known == expected


def test_the_specifications_columns_are_filled(ledger, connection):
    job = new_job(ledger)
    ledger.publish_files(
        job,
        table(
            row("a/b/Photo.JPG", details='{"width": 4}', is_organized=True, previous_key="x.jpg"),
            row(".bashrc"),
            row("n/" + "y" * 600 + ".txt", mime="m" * 200),
        ),
    )
    found = connection.execute(
        "SELECT filename, file_extension, storage_path, original_path, metadata,"
        " organized_at IS NOT NULL, hashed_at IS NOT NULL, coarse_category, user_id::text"
        " FROM files WHERE storage_key = 'a/b/Photo.JPG'"
    ).fetchone()
    assert found == (
        "Photo.JPG",
        ".jpg",
        "file:///in/a/b/Photo.JPG",
        "x.jpg",
        {"width": 4},
        True,
        True,
        "Documents",
        ledger.local_account(),
    )
    other = "SELECT filename, file_extension FROM files WHERE storage_key LIKE %s"
    assert connection.execute(other, [".bash%"]).fetchone() == (".bashrc", None)
    assert connection.execute(other, ["n/%"]).fetchone() == ("y" * 500, ".txt")


def test_the_same_again_changes_nothing_and_a_change_is_an_update(ledger, connection):
    job = new_job(ledger)
    rows = [row(f"{n}.txt") for n in range(5)]
    ledger.publish_files(job, table(*rows))
    before = ids(connection)
    assert ledger.publish_files(job, table(*rows)) == changes(unchanged=5)
    again = [row("0.txt", sha256="c" * 64), *rows[1:]]
    assert ledger.publish_files(new_job(ledger), table(*again)) == changes(updated=1, unchanged=4)
    assert ids(connection) == before
    version = "SELECT version FROM files WHERE storage_key = '0.txt'"
    assert connection.execute(version).fetchone() == (2,)


def test_a_complete_listing_marks_the_rest_deleted_and_a_file_may_come_back(ledger, connection):
    job = new_job(ledger)
    ledger.publish_files(job, table(row("a"), row("b")))
    assert ledger.publish_files(job, table(row("b")), is_complete=True) == changes(
        unchanged=1, deleted=1
    )
    assert set(ids(connection)) == {"b"}
    assert ledger.publish_files(job, table(row("b"))) == changes(unchanged=1)
    assert ledger.publish_files(job, table(row("a"), row("b"))) == changes(updated=1, unchanged=1)
    assert set(ids(connection)) == {"a", "b"}


def test_another_root_is_left_alone(ledger, connection):
    job, other = new_job(ledger), new_job(ledger, into="s3://bucket/out")
    ledger.publish_files(job, table(row("a")))
    ledger.publish_files(other, table(row("b")), is_complete=True)
    assert set(ids(connection)) == {"a", "b"}


@pytest.mark.parametrize("into", ["file:///in", "file:///out"])
def test_files_that_trade_places_keep_their_identity_also_when_published_twice(
    ledger, connection, into
):
    first = new_job(ledger)
    ledger.publish_files(first, table(row("a"), row("b"), row("c"), row("bystander")))
    before = ids(connection)
    job = new_job(ledger, into=into)
    moved = table(
        row("b", previous_key="a", is_organized=True),
        row("c", previous_key="b", is_organized=True),
        row("a", previous_key="c", is_organized=True),
    )
    assert ledger.publish_files(job, moved) == changes(updated=3, moved=3)
    expected = {
        "b": before["a"],
        "c": before["b"],
        "a": before["c"],
        "bystander": before["bystander"],
    }
    assert ids(connection) == expected
    assert ledger.publish_files(job, moved) == changes(unchanged=3)
    assert ids(connection) == expected
    root = connection.execute("SELECT DISTINCT root_id::text FROM files WHERE storage_key = 'a'")
    assert root.fetchall() == [(job.destination_root_id,)]


def test_a_file_moves_to_where_a_gone_one_was(ledger, connection):
    first = new_job(ledger)
    ledger.publish_files(first, table(row("a"), row("gone")))
    before = ids(connection)
    ledger.mark_deleted(first, ["gone"])
    ledger.publish_files(new_job(ledger), table(row("gone", previous_key="a")))
    assert ids(connection) == {"gone": before["a"]}


def test_duplicates_are_linked_to_their_keeper_and_unlinked_again(ledger, connection):
    job = new_job(ledger)
    rows = [row("keep"), row("x", duplicate_of_key="keep"), row("y", duplicate_of_key="keep")]
    ledger.publish_files(job, table(*rows))
    keepers = "SELECT storage_key, duplicate_of, is_duplicate FROM files ORDER BY 1"
    keep = ids(connection)["keep"]
    assert connection.execute(keepers).fetchall() == [
        ("keep", None, False),
        ("x", keep, True),
        ("y", keep, True),
    ]
    assert ledger.publish_files(job, table(*rows)) == changes(unchanged=3)
    assert ledger.catalog_counts(job.source_root_id) == {
        "files": 3,
        "bytes": 9,
        "duplicates": 2,
        "space_wasted_bytes": 6,
    }
    ledger.publish_files(job, table(row("y")))
    assert connection.execute(keepers).fetchall()[2] == ("y", None, False)
    assert ledger.mark_deleted(job, ["keep", "never"]) == 1
    assert connection.execute(keepers).fetchall()[1] == ("x", None, False)


def test_what_cannot_be_published_is_refused_whole(ledger, connection):
    job = new_job(ledger)
    with pytest.raises(InvalidError, match="lack"):
        ledger.publish_files(job, pa.table({"key": ["a"]}))
    with pytest.raises(ConflictError):
        ledger.publish_files(job, table(row("a"), row("a")))
    with pytest.raises(ConflictError):
        ledger.publish_files(job, table(row("a"), row("b", size_bytes=-1)))
    with pytest.raises(MissingError):
        ledger.publish_files(job, table(row("a")), root_id=str(uuid.uuid4()))
    assert ids(connection) == {}


def test_nothing_to_publish(ledger):
    job = new_job(ledger)
    empty = arrow_schema(CatalogRow).empty_table()
    assert ledger.publish_files(job, empty) == changes()
    assert ledger.known_files(job.source_root_id).num_rows == 0
    assert ledger.catalog_totals().files == 0


def test_totals_add_up_by_category(ledger):
    job = new_job(ledger)
    ledger.publish_files(job, table(row("a"), row("b", coarse_category="Images", size_bytes=4)))
    totals = ledger.catalog_totals(account_id=ledger.local_account())
    assert (totals.files, totals.bytes) == (2, 7)
    assert totals.by_category == {"Documents": 1, "Images": 1}


def members(*keys, group="g", keeper=0):
    return [
        DuplicateRow(
            group_id=group,
            key=key,
            is_keeper=index == keeper,
            truth_class=TruthClass.FULL_HASH,
            similarity_ratio=1.0,
            size_bytes=3,
            is_hardlink=False,
            wasted_bytes=0 if index == keeper else 3,
            keep_reason="shortest path",
        )
        for index, key in enumerate(keys)
    ]


def publish_groups(ledger, job, *rows):
    return ledger.publish_duplicates(job, to_table(rows, DuplicateRow))


def groups(connection):
    return connection.execute(
        "SELECT g.group_key, g.files_count, g.wasted_bytes,"
        " array_agg(f.storage_key ORDER BY f.storage_key) FILTER (WHERE m.is_keeper)"
        " FROM duplicate_groups g JOIN duplicate_members m ON m.group_id = g.id"
        " JOIN files f ON f.id = m.file_id GROUP BY g.id ORDER BY 1"
    ).fetchall()


def test_groups_are_replaced_and_those_that_stay_keep_their_identity(ledger, connection):
    job = new_job(ledger)
    ledger.publish_files(job, table(*(row(key) for key in "abcdefg")))
    first = [*members("a", "b", "c"), *members("d", "e", group="h")]
    assert publish_groups(ledger, job, *first) == 5
    assert groups(connection) == [("g", 3, 6, ["a"]), ("h", 2, 3, ["d"])]
    identity = "SELECT id FROM duplicate_groups WHERE group_key = 'g'"
    before = connection.execute(identity).fetchone()
    publish_groups(ledger, job, *first)
    assert groups(connection) == [("g", 3, 6, ["a"]), ("h", 2, 3, ["d"])]
    publish_groups(ledger, job, *members("b", "c", "f", keeper=1), *members("d", "g", group="i"))
    assert groups(connection) == [("g", 3, 6, ["c"]), ("i", 2, 3, ["d"])]
    assert connection.execute(identity).fetchone() == before
    with pytest.raises(MissingError):
        publish_groups(ledger, job, *members("a", "nowhere"))


def test_when_the_keeper_goes_the_group_has_another_and_counts_anew(ledger, connection):
    job = new_job(ledger)
    ledger.publish_files(job, table(*(row(key) for key in "abc")))
    publish_groups(ledger, job, *members("a", "b", "c"))
    connection.execute("DELETE FROM files WHERE storage_key = 'a'")
    ((_, files, wasted, keepers),) = groups(connection)
    assert (files, wasted, len(keepers)) == (2, 3, 1)
