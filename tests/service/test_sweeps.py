"""Visits to every root: begun once, gone on with by whoever comes next, each root visited once."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from models.domain.errors import BusyError, ConflictError, MissingError
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.sweeps import Shard, Sweep, shard_ranges
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import canonical_url
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.lifecycle.launching import StartedRun
from tasks.lifecycle.shards import parts_of_shards, split
from tasks.lifecycle.sweeping import MAX_LAUNCHES, Sweeper
from tasks.lifecycle.task import batch_ranges, job_for_root
from tasks.manifest.task import list_manifest

pytestmark = pytest.mark.service

PART = TableRef(uri="runs/x/part.parquet", table="fingerprints", rows=1, sha256="0" * 64)


@pytest.fixture
def ledger(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    return open_ledger(Settings())


def account(url: str) -> str:
    """Make an account and return its id."""
    name = uuid.uuid4().hex
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "INSERT INTO users (email, username, password_hash) VALUES (%s, %s, '!')"
            " RETURNING id::text",
            [f"{name}@example.com", name],
        ).fetchone()
    assert row is not None
    return row[0]


def roots_of(ledger: Ledger, owner: str, count: int) -> list[str]:
    return [
        ledger.root_for(f"memory://{owner}/{number}", account_id=owner).id
        for number in range(count)
    ]


class Runs:
    """Flow runs that do a unit's work when looked at; some die with their lease instead."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.lock = threading.Lock()
        self.started: dict[str, tuple[StartedRun, dict[str, Any]]] = {}
        self.order: list[str] = []
        self.done: Counter[str] = Counter()
        self.kills: Callable[[str], bool] = lambda _key: False
        self.is_stillborn: Callable[[str], bool] = lambda _key: False
        self.shares: dict[str, int] = {}
        self.lease_s = 0.001
        self.is_reported = False

    def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str
    ) -> StartedRun:
        assert deployment == (
            "reindex-shard/reindex-shard"
            if "shard" in parameters
            else "reindex-roots/reindex-roots"
        )
        assert "memory:" not in name
        with self.lock:
            return self.found(key, parameters)

    def found(self, key: str, parameters: dict[str, Any]) -> StartedRun:
        if key not in self.started:
            run = StartedRun(
                id=str(uuid.uuid4()), is_scheduled=True, is_waiting=True, is_over=False
            )
            self.started[key] = (run, parameters)
            self.order.append(key)
        return self.started[key][0]

    def look(self, run_ids) -> dict[str, StartedRun]:
        with self.lock:
            return self.seen(run_ids)

    def seen(self, run_ids) -> dict[str, StartedRun]:
        for key, (run, parameters) in list(self.started.items()):
            if run.id not in run_ids or not run.is_waiting:
                continue
            is_killed = self.kills(key)
            if not self.is_stillborn(key):
                with suppress(ConflictError):  # as a run that comes too late fails
                    self.work(parameters, is_killed=is_killed)
            seen = StartedRun(
                id=run.id,
                is_scheduled=False,
                is_waiting=False,
                is_over=not is_killed or self.is_reported,
            )
            self.started[key] = (seen, parameters)
        return {run.id: run for run, _ in self.started.values() if run.id in run_ids}

    def work(self, parameters: dict[str, Any], *, is_killed: bool) -> None:
        if "shard" in parameters:
            job_id, number = parameters["job_id"], parameters["shard"]
            epoch = self.ledger.acquire_shard(job_id, number, uuid.uuid4().hex, 0.001)
            if not is_killed:
                self.ledger.finish_shard(job_id, number, [PART], epoch=epoch)
                self.done[f"{job_id}/{number}"] += 1
            return
        for job_id in parameters["job_ids"]:
            owner = uuid.uuid4().hex
            epoch = self.ledger.acquire_lease(job_id, owner, self.lease_s)
            self.ledger.set_status(job_id, JobStatus.RUNNING, epoch=epoch)
            if is_killed:
                return
            shares = [(n, n + 1) for n in range(self.shares.get(job_id, 0))]
            shards = self.ledger.plan_shards(job_id, shares)
            if all(shard.is_done for shard in shards):
                self.ledger.set_status(job_id, JobStatus.COMPLETED, epoch=epoch)
                self.done[job_id] += 1
            else:
                self.ledger.set_status(job_id, JobStatus.PENDING, epoch=epoch)
            self.ledger.release_lease(job_id, owner, epoch)


def make_job(job_id: str, root_id: str) -> None:
    job_for_root(JobKind.REINDEX, root_id, job_id=job_id)


def sweeper_of(ledger: Ledger, runs: Runs, sweep: Sweep, *, at_once: int = 2) -> Sweeper:
    return Sweeper(ledger, runs, sweep, at_once=at_once, each=4, make_job=make_job)


def begun(ledger: Ledger) -> Sweep:
    return ledger.open_sweep(JobKind.REINDEX, bundle_files=100)


def quietly(_progress: object) -> None:
    """Tell nobody."""


def test_many_who_begin_at_once_get_one_sweep(ledger: Ledger, database_url: str):
    roots_of(ledger, account(database_url), 3)
    barrier = threading.Barrier(6)

    def begin(_number: int) -> Sweep:
        barrier.wait()
        return begun(ledger)

    with ThreadPoolExecutor(6) as threads:
        sweeps = list(threads.map(begin, range(6)))
    assert len({sweep.id for sweep in sweeps}) == 1
    assert [sweep.is_new for sweep in sweeps].count(True) == 1
    ledger.finish_sweep(sweeps[0].id)
    assert ledger.current_sweep(JobKind.REINDEX) is None
    assert begun(ledger).is_new


def test_an_old_unfinished_sweep_gives_way_to_a_new_one(ledger: Ledger, database_url: str):
    first = begun(ledger)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE sweeps SET started_at = started_at - interval '19 hours'")
    assert begun(ledger).id == first.id
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE sweeps SET started_at = started_at - interval '2 hours'")
    assert begun(ledger).id != first.id


def test_a_tenant_with_one_root_does_not_wait_for_one_with_many(ledger: Ledger, database_url: str):
    many, one = account(database_url), account(database_url)
    roots_of(ledger, many, 40)
    (alone,) = roots_of(ledger, one, 1)
    sweep, runs = begun(ledger), Runs(ledger)
    sweeper = sweeper_of(ledger, runs, sweep, at_once=1)
    sweeper.run(quietly, poll_s=0)
    place = next(n for n, each in enumerate(sweep.bundles) if each.root_ids == (alone,))
    assert f"{sweep.id}-{place}-1" in runs.order[:2]
    assert set(runs.done.values()) == {1}
    assert {each.account_id: each.done for each in sweeper.progress()} == {many: 40, one: 1}


@pytest.mark.parametrize("dies_after", range(0, 7, 2))
def test_a_killed_leader_is_gone_on_with_and_nothing_is_done_twice(
    ledger: Ledger, database_url: str, dies_after: int
):
    owner, other = account(database_url), account(database_url)
    roots_of(ledger, owner, 4)
    (big,) = roots_of(ledger, other, 1)
    sweep, runs = begun(ledger), Runs(ledger)
    first = sweeper_of(ledger, runs, sweep)
    runs.shares[first._job_of[big]] = 5
    looks = 0

    def dies(_progress: object) -> None:
        nonlocal looks
        looks += 1
        if looks > dies_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(dies, poll_s=0)
    again = begun(ledger)
    assert again.id == sweep.id
    assert not again.is_new
    second = sweeper_of(ledger, runs, again)
    second.run(quietly, poll_s=0)
    assert set(runs.done.values()) == {1}
    assert len(runs.done) == 4 + 1 + 5
    assert all(each and each.status is JobStatus.COMPLETED for each in second.outcomes().values())
    (told,) = [each for each in second.progress() if each.account_id == other]
    assert (told.shards, told.shards_done) == (5, 5)


def test_two_leaders_at_once_do_nothing_twice(ledger: Ledger, database_url: str):
    roots_of(ledger, account(database_url), 3)
    (big,) = roots_of(ledger, account(database_url), 1)
    sweep, runs = begun(ledger), Runs(ledger)
    leaders = [sweeper_of(ledger, runs, sweep) for _ in range(2)]
    runs.shares[leaders[0]._job_of[big]] = 4
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(each.run, quietly, poll_s=0) for each in leaders]:
            done.result()
    assert set(runs.done.values()) == {1}
    assert len(runs.done) == 3 + 1 + 4


def test_who_dies_is_launched_again_and_given_up_in_the_end(ledger: Ledger, database_url: str):
    (root, cursed) = roots_of(ledger, account(database_url), 2)
    sweep, runs = begun(ledger), Runs(ledger)
    sweeper = sweeper_of(ledger, runs, sweep)
    runs.shares[sweeper._job_of[root]] = 3
    place = next(n for n, each in enumerate(sweep.bundles) if cursed in each.root_ids)
    fate = f"{sweep.id}-{place}-"
    runs.kills = lambda key: key.startswith(fate) or key.endswith(("-1-1", "-end-1", "-2-1"))
    sweeper.run(quietly, poll_s=0.002)
    outcomes = sweeper.outcomes()
    assert outcomes[root] is not None
    assert outcomes[root].status is JobStatus.COMPLETED
    assert outcomes[cursed] is not None
    assert outcomes[cursed].status is JobStatus.FAILED
    assert sum(key.startswith(fate) for key in runs.order) == MAX_LAUNCHES
    assert set(runs.done.values()) == {1}


def test_who_dies_before_he_holds_anything_is_followed_after_a_while(
    ledger: Ledger, database_url: str
):
    roots_of(ledger, account(database_url), 3)
    sweep, runs = begun(ledger), Runs(ledger)
    runs.kills = runs.is_stillborn = lambda key: key.endswith(("-1-1", "-2-1", "-2-2"))
    ticks = iter(range(0, 10**6, 30))
    sweeper = Sweeper(
        *(ledger, runs, sweep), at_once=3, each=4, make_job=make_job, clock=lambda: next(ticks)
    )
    sweeper.run(quietly, poll_s=0)
    assert list(runs.done.values()) == [1, 1, 1]
    assert sorted(key[36:] for key in runs.order) == [
        "-0-1",
        "-1-1",
        "-1-2",
        "-2-1",
        "-2-2",
        "-2-3",
    ]


def test_who_was_killed_and_reported_is_followed_when_his_lease_ran_out(
    ledger: Ledger, database_url: str
):
    roots_of(ledger, account(database_url), 1)
    sweep, runs = begun(ledger), Runs(ledger)
    runs.kills = lambda key: key.endswith("-1")
    runs.is_reported, runs.lease_s = True, 0.5
    sweeper_of(ledger, runs, sweep).run(quietly, poll_s=0.01)
    assert list(runs.done.values()) == [1]
    assert runs.order == [f"{sweep.id}-0-1", f"{sweep.id}-0-2"]


def test_a_root_that_was_removed_meanwhile_is_skipped(ledger: Ledger, database_url: str):
    here, gone = roots_of(ledger, account(database_url), 2)
    sweep = begun(ledger)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("DELETE FROM storage_roots WHERE id = %s", [gone])
    sweeper = sweeper_of(ledger, Runs(ledger), sweep)
    sweeper.run(quietly, poll_s=0)
    outcomes = sweeper.outcomes()
    assert outcomes[here] is not None
    assert outcomes[gone] is None


def test_there_may_be_more_jobs_than_a_statement_has_parameters(ledger: Ledger, database_url: str):
    job_id = sharded_job(ledger, account(database_url), 2)
    asked = [*(str(uuid.UUID(int=number)) for number in range(70_000)), job_id]
    assert set(ledger.standings(asked)) == {job_id}
    assert len(ledger.shards(asked)) == 2


def sharded_job(ledger: Ledger, owner: str, count: int) -> str:
    (root,) = roots_of(ledger, owner, 1)
    job_id = job_for_root(JobKind.REINDEX, root)
    ledger.plan_shards(job_id, [(number, number + 1) for number in range(count)])
    return job_id


def test_a_shard_has_one_holder_and_one_end(ledger: Ledger, database_url: str):
    job_id = sharded_job(ledger, account(database_url), 2)
    first = ledger.acquire_shard(job_id, 0, "first", 60)
    with pytest.raises(BusyError):
        ledger.acquire_shard(job_id, 0, "second", 60)
    ledger.renew_shard(job_id, 0, "first", first, 60)
    assert not ledger.shards([job_id])[0].is_lost
    ledger.release_shard(job_id, 0, "first", first)
    assert ledger.shards([job_id])[0].is_lost
    second = ledger.acquire_shard(job_id, 0, "second", 60)
    assert second == first + 1
    with pytest.raises(ConflictError):
        ledger.renew_shard(job_id, 0, "first", first, 60)
    with pytest.raises(ConflictError):
        ledger.finish_shard(job_id, 0, [PART], epoch=first)
    ledger.finish_shard(job_id, 0, [PART, PART], epoch=second)
    with pytest.raises(ConflictError):
        ledger.finish_shard(job_id, 0, [PART], epoch=second)
    with pytest.raises(ConflictError):
        ledger.acquire_shard(job_id, 0, "third", 60)
    with pytest.raises(MissingError):
        ledger.acquire_shard(job_id, 7, "third", 60)
    done, left = ledger.shards([job_id])
    assert (done.parts, left.parts) == ((PART, PART), None)
    assert ledger.plan_shards(job_id, [(0, 9)]) == [done, left]


def read_shards(job_id: str, root_id: str, ledger: Ledger) -> list[Shard]:
    """Read the shards of a job from the last to the first, as other machines would."""
    listed = list_manifest.fn(job_id, root_id)
    ranges = batch_ranges(listed.changed.rows, batch_rows=Settings().batch_files)
    shards = ledger.shards([job_id])
    for shard in reversed(shards):
        epoch = ledger.acquire_shard(job_id, shard.number, f"machine {shard.number}", 60)
        parts = [
            fingerprint_batch.fn(job_id, root_id, batch, listed.changed, *ranges[batch])
            for batch in range(shard.first, shard.last)
        ]
        ledger.finish_shard(job_id, shard.number, parts, epoch=epoch)
    return shards


def test_what_shards_read_equals_the_whole_byte_for_byte(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FILEORGANIZER_BATCH_FILES", "4")
    monkeypatch.setenv("FILEORGANIZER_SHARD_FILES", "10")
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(31):
        (folder / f"{number:03}.txt").write_text(f"{number if number % 5 else 0}" * 50)
    root_id = ledger.root_for(canonical_url(str(folder))).id

    def started() -> Job:
        job_id = job_for_root(JobKind.REINDEX, root_id)
        ledger.set_status(job_id, JobStatus.RUNNING)
        return ledger.job(job_id)

    whole, shared = started(), started()
    listed = list_manifest.fn(whole.id, root_id)
    ranges = batch_ranges(31, batch_rows=4)
    parts = [
        fingerprint_batch.fn(whole.id, root_id, batch, listed.changed, first, last)
        for batch, (first, last) in enumerate(ranges)
    ]
    merged = merge_fingerprints.fn(whole.id, root_id, parts, listed.known)

    again = list_manifest.fn(shared.id, root_id)
    assert split(shared.id, changed=31, batches=len(ranges)) == 4
    assert parts_of_shards(shared.id, rows=31) == []
    shards = read_shards(shared.id, root_id, ledger)
    assert [(each.first, each.last) for each in shards] == shard_ranges(8, shard_batches=2)
    found = parts_of_shards(shared.id, rows=31)
    assert [(part.rows, part.sha256) for part in found] == [
        (part.rows, part.sha256) for part in parts
    ]
    assert [part.uri.replace(shared.id, whole.id) for part in found] == [p.uri for p in parts]
    result = merge_fingerprints.fn(shared.id, root_id, found, again.known)
    assert (result.rows, result.sha256) == (merged.rows, merged.sha256)
    assert split(shared.id, changed=31, batches=len(ranges)) == 0
    assert parts_of_shards(shared.id, rows=32) == []


def test_a_small_job_is_not_shared_out(ledger: Ledger, database_url: str):
    (root,) = roots_of(ledger, account(database_url), 1)
    job_id = job_for_root(JobKind.REINDEX, root)
    assert split(job_id, changed=100_000, batches=100) == 0
    assert ledger.shards([job_id]) == []
