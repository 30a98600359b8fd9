"""A second index of what did not change costs a listing, and tells the same as a whole one."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from models.domain.decisions import keep
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.settings import Settings
from storage.opening import canonical_url
from tasks.categorize.task import categorize
from tasks.dedupe.task import find_duplicates
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.ledger.ledger import open_ledger
from tasks.manifest.task import Listed, list_manifest
from tasks.publish.roots import IndexRefs
from tasks.publish.staging import Staged, staged
from tasks.publish.task import open_both, to_catalog, to_warehouse
from warehouse.asking import ask
from warehouse.quality.invariants import measures, violations
from warehouse.store.publishing import StagedRun, Verdict, rows_at_rest
from warehouse.store.standing import find_standing, keep_standing

pytestmark = pytest.mark.service


class World:
    """A folder that is indexed again and again."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.options = OrganizeOptions()
        with open_ledger(Settings()) as ledger:
            self.root_id = ledger.root_for(canonical_url(str(folder))).id

    def job(self) -> Job:
        with open_ledger(Settings()) as ledger:
            url = ledger.root(self.root_id).url
            job = Job(
                id=str(uuid.uuid4()),
                kind=JobKind.REINDEX,
                account_id=ledger.local_account(),
                status=JobStatus.PENDING,
                source_url=url,
                destination_url=url,
                source_root_id=self.root_id,
                destination_root_id=self.root_id,
                options=self.options,
            )
            ledger.create_job(job)
            ledger.set_status(job.id, JobStatus.RUNNING)
            return ledger.job(job.id)

    def index(self, job_id: str, listed: Listed) -> IndexRefs:
        """Read what changed, as one batch, and return what indexing gives."""
        rows = listed.changed.rows
        batches = [fingerprint_batch.fn(job_id, self.root_id, 0, listed.changed, 0, rows)][:rows]
        merged = listed.known
        if batches:
            merged = merge_fingerprints.fn(job_id, self.root_id, batches, listed.known)
        categories = categorize.fn(job_id, merged)
        return IndexRefs(
            fingerprints=merged,
            categories=categories,
            duplicates=find_duplicates.fn(job_id, merged, categories),
        )

    def reindex(self) -> tuple[bool, dict[str, int]]:
        """Return whether publishing was spared, and the counts that a user sees."""
        job = self.job()
        refs = self.index(job.id, list_manifest.fn(job.id, self.root_id))
        lake, ledger = open_both(Settings())

        def judge(run: StagedRun) -> Verdict:
            found = measures(rows_at_rest(lake, run.run_id), run)
            return Verdict(expectations=len(found), failures=violations(found))

        found: Staged = staged(lake, ledger, job.id, self.root_id, refs)
        counts = to_catalog(lake, ledger, job.id, found)
        counts |= to_warehouse(lake, ledger, job.id, found, judge)
        assert staged(lake, ledger, job.id, self.root_id, refs) == found
        self.check(job)
        return found.roots[0].is_unchanged, counts

    def check(self, job: Job) -> None:
        """The run is seen, with what is in the folder, in the catalog and in the warehouse."""
        there = {path.name: path.stat().st_size for path in self.folder.iterdir()}
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            rows = connection.execute(
                "SELECT storage_key, file_size_bytes FROM files "
                "WHERE root_id = %s AND deleted_at IS NULL",
                [self.root_id],
            ).fetchall()
        assert dict(rows) == there
        lake, ledger = open_both(Settings())
        assert dict(ask(lake, "SELECT key, size_bytes FROM files").rows) == there
        sums = "SELECT files_count, files_bytes FROM fact_job WHERE run_id = $run"
        told = ask(lake, sums, parameters={"run": job.id}).rows
        assert told == ((len(there), sum(there.values())),)
        contents = [path.read_bytes() for path in self.folder.iterdir()]
        members = sum(contents.count(each) > 1 for each in contents)
        assert ask(lake, "SELECT count(*) FROM duplicates").rows == ((members,),)
        assert ledger.last_index_job(self.root_id) == job.id


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in {"a.txt": "one", "b.txt": "two", "c.txt": "two", "d.csv": "1,2"}.items():
        (folder / name).write_text(text)
    world = World(folder, database_url)
    assert world.reindex()[0] is False
    return world


def test_an_unchanged_root_is_listed_and_told_of_and_nothing_else(world: World):
    for _ in range(2):
        is_unchanged, counts = world.reindex()
        assert is_unchanged
        assert {name: count for name, count in counts.items() if count} == {
            "catalog_unchanged": 4,
            "duplicate_members": 2,
            "rows_published": 1 + 2 + 1,  # the job, its duplicates and its one event
            "expectations_met": counts["expectations_met"],
        }


def add(folder: Path) -> None:
    (folder / "new.txt").write_text("two")


def remove(folder: Path) -> None:
    (folder / "c.txt").unlink()


def edit(folder: Path) -> None:
    (folder / "a.txt").write_text("One")


def rename(folder: Path) -> None:
    (folder / "b.txt").rename(folder / "e.txt")


@pytest.mark.scenario(26)
@pytest.mark.parametrize("change", [add, remove, edit, rename])
def test_a_changed_file_is_published_and_then_it_is_quiet_again(
    world: World, change: Callable[[Path], None]
):
    change(world.folder)
    is_unchanged, counts = world.reindex()
    assert not is_unchanged
    assert counts["catalog_inserted"] + counts["catalog_updated"] + counts["catalog_deleted"]
    assert world.reindex()[0]


@pytest.mark.parametrize(
    "options", [OrganizeOptions(preferred=("b.txt",)), OrganizeOptions(read_gps=True)]
)
def test_other_options_are_another_question(world: World, options: OrganizeOptions):
    world.options = options
    assert world.reindex()[0] is False
    assert world.reindex()[0] is True


def test_reading_everything_again_and_finding_the_same_publishes_nothing(world: World):
    world.options = OrganizeOptions(verify=True)
    job = world.job()
    assert list_manifest.fn(job.id, world.root_id).changed.rows == 4
    assert world.reindex()[0] is True


def test_a_listing_that_differs_in_nothing_that_counts_is_known_from_then_on(world: World):
    """As after a restart, when a disk has another device number."""
    lake, ledger = open_both(Settings())
    last = ledger.last_index(world.root_id)
    found = find_standing(lake, last, world.root_id)
    assert found is not None
    keep_standing(lake, world.root_id, replace(found, listing="0" * 64))
    assert world.reindex()[0] is True
    again = find_standing(lake, last, world.root_id)
    assert again is not None
    assert (again.listing, again.manifest.sha256) == (found.listing, found.manifest.sha256)


@pytest.mark.parametrize("what", ["recipe", "categories", "duplicates", "index"])
def test_what_was_made_by_other_rules_is_made_again(world: World, what: str):
    """As after an upgrade, whose rules give other parts or publish them as other rows."""
    lake, ledger = open_both(Settings())
    last = ledger.last_index(world.root_id)
    found = find_standing(lake, last, world.root_id)
    assert found is not None
    before = getattr(found, what)
    other = "0" * 64 if isinstance(before, str) else replace(before, sha256="0" * 64)
    keep_standing(lake, world.root_id, replace(found, **{what: other}))
    assert world.reindex()[0] is False
    assert world.reindex()[0] is True


def test_a_catalog_that_lost_a_file_gets_it_back(world: World):
    with psycopg.connect(world.url.replace("+psycopg", "")) as connection:
        connection.execute("DELETE FROM files WHERE storage_key = 'a.txt'")
    is_unchanged, counts = world.reindex()
    assert (is_unchanged, counts["catalog_inserted"]) == (False, 1)


def test_a_file_that_could_not_be_read_is_tried_again(world: World):
    path = world.folder / "a.txt"
    path.write_text("three")
    job = world.job()
    lake, ledger = open_both(Settings())
    listed = list_manifest.fn(job.id, world.root_id)
    path.write_text("fourth")
    refs = world.index(job.id, listed)
    found = staged(lake, ledger, job.id, world.root_id, refs)
    assert found.roots[0].standing is None
    assert found.roots[0].index.rows == 4


def test_a_decision_of_a_person_is_another_question(world: World):
    job = world.job()
    content = hashlib.sha256(b"two").hexdigest()
    with open_ledger(Settings()) as ledger:
        ledger.decide(str(job.account_id), keep(content, "c.txt"))
    assert world.reindex()[0] is False
    lake, _ = open_both(Settings())
    kept = ask(lake, "SELECT key FROM duplicates WHERE is_keeper").rows
    assert kept == (("c.txt",),)
    assert world.reindex()[0] is True
