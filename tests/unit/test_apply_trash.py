"""Emptying the trash: what may go, and what proof it takes."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from apply_world import World, contents, operation

from models.domain.errors import MissingError
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.plans import Action
from tasks.apply import trash
from tasks.apply.trash import Choice


class Ledger:
    """The world's journal, and one job that ended long ago."""

    def __init__(self, world, *, days_ago=100, status=JobStatus.COMPLETED):
        self.operations = world.journal.operations
        self.job_row = Job(
            id="job",
            kind=JobKind.ORGANIZE,
            account_id=None,
            status=status,
            source_url="",
            destination_url="",
            source_root_id="",
            destination_root_id="",
            completed_at=datetime.now(UTC) - timedelta(days=days_ago),
        )

    def job(self, job_id):
        if job_id != "job":
            raise MissingError(job_id)
        return self.job_row


@pytest.fixture
def world(tmp_path):
    world = World.make(tmp_path, {"keep.bin": "same", "dup.bin": "same", "old.txt": "old"})
    store, _ = world.open()
    world.begin(
        [
            operation(0, Action.TRASH, store, "dup.bin", store, keeper="keep.bin"),
            operation(1, Action.DISPLACE, store, "old.txt", store, None),
        ]
    )
    world.work()
    assert world.states() == ["done", "done"]
    return world


def purge(world, choice, ledger=None):
    store, _ = world.open()
    found = trash.removals(ledger or Ledger(world), store, choice)
    job_id = f"purge-{uuid.uuid4().hex[:8]}"
    world.begin([replace(each, job_id=job_id) for each in found], job_id)
    world.work(job_id)
    return trash.facts(world.journal.operations(job_id))


def names(world):
    return {key.rpartition("/")[2] for key in contents(world.source_root)}


def test_by_age_everything_goes_with_the_consent_in_the_receipt(world):
    assert purge(world, Choice(older_than_days=30)) == {
        "files_removed": 2,
        "bytes_removed": 7,
        "files_kept": 0,
    }
    assert contents(world.source_root) == {"keep.bin": b"same"}


def test_young_running_or_unknown_jobs_keep_their_trash(world):
    young = Ledger(world, days_ago=29)
    running = Ledger(world, status=JobStatus.RUNNING)
    for ledger in (young, running):
        assert purge(world, Choice(older_than_days=30), ledger)["files_removed"] == 0
    store, _ = world.open()
    unknown = Choice(older_than_days=0, job_ids=["nobody"])
    assert trash.removals(Ledger(world), store, unknown) == []
    assert names(world) == {"keep.bin", "dup.bin", "old.txt"}


def test_by_job_only_what_has_a_living_copy_goes(world):
    facts = purge(world, Choice(older_than_days=0, job_ids=["job"]))
    assert facts == {"files_removed": 1, "bytes_removed": 4, "files_kept": 1}
    assert names(world) == {"keep.bin", "old.txt"}


def test_by_job_the_last_copy_stays_in_the_trash(world):
    (world.source_root / "keep.bin").write_text("else")
    facts = purge(world, Choice(older_than_days=0, job_ids=["job"]))
    assert facts["files_removed"] == 0
    assert names(world) == {"keep.bin", "dup.bin", "old.txt"}


def test_a_copy_taken_back_into_the_trash_goes_by_age(world):
    path = world.source_root / ".fileorganizer/trash/job/out/back.txt"
    path.parent.mkdir()
    path.write_text("taken back")
    assert purge(world, Choice(older_than_days=0, job_ids=["job"]))["files_removed"] == 1
    assert path.exists()
    assert purge(world, Choice(older_than_days=30))["files_removed"] == 2
    assert contents(world.source_root) == {"keep.bin": b"same"}


def test_purging_twice_finds_nothing_more(world):
    purge(world, Choice(older_than_days=30))
    assert purge(world, Choice(older_than_days=30))["files_removed"] == 0
