"""Duplicates and plan through their edges: real Postgres, a lake on disk, real folders."""

import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.domain.duplicates import DuplicateRow
from models.domain.errors import ConflictError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.plans import Move
from models.settings import Settings
from storage.opening import canonical_url, open_store
from tasks.categorize.task import categorize
from tasks.dedupe.task import find_duplicates
from tasks.ledger.ledger import open_ledger
from tasks.manifest.task import list_manifest
from tasks.plan.task import list_destination, make_plan
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service
MODE = {"mode": "extension"}


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path, database_url):
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)


def make_tree(root: Path, tree: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    for key, content in tree.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    return root


def fingerprints(url: str):
    """Fingerprints by hash alone: what planning needs of reading."""
    store = open_store(url)
    rows = []
    for page in store.list_pages():
        for row in page.rows:
            found = store.hash(row.key)
            facts = {name: getattr(row, name) for name in row.__slots__}
            rows.append(Fingerprint(**facts, md5=found.md5, sha256=found.sha256))
    return to_table(sorted(rows, key=lambda row: row.key), Fingerprint)


def planned(source: Path, destination: Path | None = None, **options):
    """Run the steps over two folders and return the plan and its rows by source key."""
    lake = open_lake(Settings().lake)
    urls = [canonical_url(str(path)) for path in (source, destination or source)]
    with open_ledger(Settings()) as ledger:
        roots = [ledger.root_for(url) for url in urls]
        job = ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=JobKind.ORGANIZE,
                account_id=ledger.local_account(),
                status=JobStatus.PENDING,
                source_url=urls[0],
                destination_url=urls[1],
                source_root_id=roots[0].id,
                destination_root_id=roots[1].id,
                options=OrganizeOptions(**(MODE | options)),
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    listed = list_manifest.fn(job.id, roots[0].id)
    files = lake.write_part(
        fingerprints(urls[0]), uri=f"runs/{job.id}/f.parquet", table_name="fingerprints"
    )
    categories = categorize.fn(job.id, files)
    groups = find_duplicates.fn(job.id, files, categories)
    existing = list_destination.fn(job.id, listed.manifest)
    arguments = (job.id, files, categories, groups, existing, listed.problems)
    plan_id = make_plan.fn(*arguments)
    assert make_plan.fn(*arguments) == plan_id
    with open_ledger(Settings()) as ledger:
        plan = ledger.plan(plan_id)
    rows = to_rows(lake.read(plan.moves), Move)
    return plan, {row.source_key: row for row in rows}, to_rows(lake.read(groups), DuplicateRow)


def test_a_plan_is_made_and_saved_and_made_again_it_is_the_same(tmp_path):
    tree = {"in/a.txt": "one", "in/b.txt": "one", "in/c.md": "two", "c.md": "three"}
    plan, rows, groups = planned(make_tree(tmp_path / "s", tree), on_duplicate=OnDuplicate.TRASH)
    assert {key: row.destination_key for key, row in rows.items()} == {
        "in/a.txt": "txt/a.txt",
        "in/b.txt": None,
        "in/c.md": "md/c (2).md",
        "c.md": "md/c.md",
    }
    assert rows["in/b.txt"].keeper_key == "in/a.txt"
    assert rows["in/b.txt"].seq < rows["in/a.txt"].seq
    assert [row.key for row in groups] == ["in/a.txt", "in/b.txt"]
    totals = plan.totals
    assert (totals.files_total, totals.bytes_total) == (4, 14)
    assert (totals.moves, totals.trashes, totals.skips, totals.refusals) == (3, 1, 0, 0)
    assert (totals.duplicate_groups, totals.duplicates_found) == (1, 1)
    assert totals.space_wasted_bytes == 3
    assert len(plan.plan_hash) == 64


def test_another_destination_is_read_where_it_may_be_equal(tmp_path):
    source = make_tree(tmp_path / "s", {"a.txt": "one", "b.txt": "new", "d.txt": "longer"})
    there = make_tree(
        tmp_path / "d", {"elsewhere/x": "one", "txt/b.txt": "old", "txt/d.txt": "short"}
    )
    (there / "txt" / "link").symlink_to(source / "a.txt")
    plan, rows, _ = planned(source, there, conflict=ConflictPolicy.REPLACE_TO_TRASH)
    assert rows["a.txt"].action == "skip"
    assert rows["a.txt"].reason == "the destination has it already: elsewhere/x"
    assert rows["b.txt"].destination_key == "txt/b.txt"
    displaced = [rows["txt/b.txt"], rows["txt/d.txt"]]
    assert [row.action for row in displaced] == ["displace", "displace"]
    store = open_store(canonical_url(str(there)))
    for row in displaced:
        assert row.sha256 == store.hash(row.source_key).sha256
        assert row.version == store.stat(row.source_key).version
    assert plan.totals.displacements == 2


def test_a_link_at_the_destination_is_taken_and_never_gives_way(tmp_path):
    source = make_tree(tmp_path / "s", {"in/a.txt": "one"})
    (source / "txt").mkdir()
    (source / "txt" / "a.txt").symlink_to("/etc/passwd")
    for destination in (None, make_tree(tmp_path / "d", {})):
        if destination is not None:
            (destination / "txt").mkdir()
            (destination / "txt" / "a.txt").symlink_to("/etc/passwd")
        plan, rows, _ = planned(source, destination, conflict=ConflictPolicy.REPLACE_TO_TRASH)
        assert rows["in/a.txt"].destination_key == "txt/a (2).txt"
        assert plan.totals.problems == 1


def test_a_destination_inside_the_source_and_around_it(tmp_path):
    source = make_tree(tmp_path / "s", {"a b/x.txt": "x", "a b/out/y.txt": "y"})
    _, rows, _ = planned(source / "a b", source / "a b" / "out")
    assert rows["x.txt"].destination_key == "txt/x.txt"
    assert rows["out/y.txt"].reason == "already below the destination"
    _, rows, _ = planned(source / "a b", source)
    assert rows["x.txt"].destination_key == "txt/x.txt"
    assert rows["out/y.txt"].destination_key == "txt/y.txt"


def test_copying_again_copies_nothing(tmp_path):
    source = make_tree(tmp_path / "s", {"in/a.txt": "one", "x/a.txt": "two"})
    there = make_tree(tmp_path / "d", {"txt/a.txt": "one", "txt/a (2).txt": "two"})
    for on_duplicate in OnDuplicate:
        plan, _, _ = planned(source, there, operation=OperationType.COPY, on_duplicate=on_duplicate)
        assert plan.totals.copies == 0


def test_fail_raises_and_saves_no_plan(tmp_path):
    source = make_tree(tmp_path / "s", {"in/a.txt": "one", "x/a.txt": "two"})
    with pytest.raises(ConflictError):
        planned(source, conflict=ConflictPolicy.FAIL)
