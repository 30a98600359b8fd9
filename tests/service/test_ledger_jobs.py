"""Jobs, plans, leases and events on a real Postgres."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from models.domain.duplicates import KeepRule
from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    MissingError,
)
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.organizing import OperationType
from models.domain.plans import Plan, PlanTotals
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger, open_ledger

pytestmark = pytest.mark.service

NOBODY = "00000000-0000-0000-0000-00000000dead"
REF = TableRef(uri="runs/1/plan/part-0.parquet", table="moves", rows=3, sha256="ab" * 32)


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


def new_job(ledger, **values):
    source, destination = ledger.root_for("file:///in"), ledger.root_for("file:///out")
    job = Job(
        id=str(uuid.uuid4()),
        kind=JobKind.ORGANIZE,
        account_id=None,
        status=JobStatus.PENDING,
        source_url=source.url,
        destination_url=destination.url,
        source_root_id=source.id,
        destination_root_id=destination.id,
    )
    return replace(job, **values)


def new_plan(job, plan_hash="c" * 64):
    return Plan(
        id=str(uuid.uuid4()),
        job_id=job.id,
        source_url=job.source_url,
        destination_url=job.destination_url,
        options=job.options,
        totals=PlanTotals(**dict.fromkeys(PlanTotals.__slots__, 7)),
        moves=REF,
        plan_hash=plan_hash,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def kinds(ledger, job):
    return [(e.seq, e.attempt, e.kind, e.data["status"]) for e in ledger.events(job.id)]


def run_to(ledger, job, *statuses, **options):
    for status in statuses:
        ledger.set_status(job.id, status, **options)


def test_a_job_comes_back_as_it_was_made(ledger):
    options = OrganizeOptions(
        mode="custom",
        template="{year}/{stem}{ext}",
        operation=OperationType.COPY,
        keep_rules=(KeepRule.NEWEST,),
        protected=("a b", "c"),
        read_gps=True,
    )
    job = new_job(ledger, options=options, files_total=3, bytes_total=5_000_000_000)
    made = ledger.create_job(job)
    assert made == ledger.job(job.id)
    assert made.created_at is not None
    assert made.submitted_at == made.created_at
    assert replace(made, created_at=None, account_id=None, submitted_at=None) == job
    assert made.account_id == ledger.local_account()


def test_the_newest_jobs_come_first_and_can_be_asked_for_by_status(ledger):
    made = [ledger.create_job(new_job(ledger)).id for _ in range(3)]
    ledger.set_status(made[0], JobStatus.RUNNING)
    assert [job.id for job in ledger.jobs()] == made[::-1]
    assert [job.id for job in ledger.jobs(limit=1)] == made[2:]
    assert [job.id for job in ledger.jobs(status=JobStatus.RUNNING)] == made[:1]
    assert ledger.jobs(account_id=NOBODY) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.job(NOBODY),
        lambda ledger: ledger.root(NOBODY),
        lambda ledger: ledger.last_index(NOBODY),
        lambda ledger: ledger.set_last_index(NOBODY, REF, job_id=NOBODY),
        lambda ledger: ledger.plan(NOBODY),
        lambda ledger: ledger.plan_of_job(NOBODY),
        lambda ledger: ledger.approved_plan(NOBODY),
        lambda ledger: ledger.approve(NOBODY, by="me"),
        lambda ledger: ledger.set_status(NOBODY, JobStatus.RUNNING),
        lambda ledger: ledger.set_progress(NOBODY, phase="x", progress_ratio=0.1),
        lambda ledger: ledger.request_cancel(NOBODY),
        lambda ledger: ledger.is_cancel_requested(NOBODY),
        lambda ledger: ledger.is_pause_requested(NOBODY),
        lambda ledger: ledger.may_continue(NOBODY),
        lambda ledger: ledger.acquire_lease(NOBODY, "me", 1),
        lambda ledger: ledger.append_event(NOBODY, "job:progress", {}),
        lambda ledger: ledger.begin(NOBODY, [], []),
        lambda ledger: ledger.record(NOBODY, 1, []),
        lambda ledger: ledger.launch(NOBODY),
        lambda ledger: ledger.retry(NOBODY),
    ],
)
def test_what_is_not_there_is_missing(ledger, call):
    with pytest.raises(MissingError):
        call(ledger)


def test_the_life_of_a_job_stamps_its_times_and_ends_with_one_event(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING)
    running = ledger.job(job.id)
    assert running.started_at is not None
    assert running.completed_at is None
    ledger.set_progress(job.id, phase="applying", progress_ratio=0.5, files_processed=4)
    run_to(ledger, job, JobStatus.COMPLETED, JobStatus.COMPLETED)
    done = ledger.job(job.id)
    assert done.completed_at is not None
    assert (done.started_at, done.progress_ratio) == (running.started_at, 1.0)
    assert kinds(ledger, job) == [
        (1, 1, "job:progress", "running"),
        (2, 1, "job:progress", "running"),
        (3, 1, "job:complete", "completed"),
    ]
    last = ledger.events(job.id, after_seq=2)[0]
    assert last.data["progress"] == 100.0
    assert last.data["files_processed"] == 4
    assert (last.data["job_id"], last.data["seq"]) == (job.id, 3)
    with pytest.raises(ConflictError):
        ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.set_status(job.id, JobStatus.UNDONE)
    assert kinds(ledger, job)[3:] == [(4, 1, "job:undone", "undone")]


def test_a_second_terminal_event_is_refused(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING, JobStatus.FAILED)
    with pytest.raises(ConflictError):
        ledger.append_event(job.id, "job:complete", {"status": "completed"})
    assert len(kinds(ledger, job)) == 2


def test_progress_never_falls_and_is_never_whole_before_the_end(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING)
    seen = []
    for ratio in (0.3, 0.2, 0.9, 0.1, 7.0):
        ledger.set_progress(job.id, phase="p", progress_ratio=ratio)
        seen.append(ledger.events(job.id)[-1].data["progress"])
    assert seen == [30.0, 30.0, 90.0, 90.0, 99.9]
    with pytest.raises(InvalidError, match="files_lost"):
        ledger.set_progress(job.id, phase="p", progress_ratio=0.1, files_lost=1)


def test_a_failed_job_that_runs_again_is_a_new_attempt_with_its_own_end(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING)
    ledger.set_progress(job.id, phase="p", progress_ratio=0.7)
    run_to(ledger, job, JobStatus.FAILED, error="disk full")
    assert ledger.job(job.id).error == "disk full"
    run_to(ledger, job, JobStatus.RUNNING)
    again = ledger.job(job.id)
    assert (again.attempt, again.error, again.completed_at) == (2, None, None)
    run_to(ledger, job, JobStatus.COMPLETED)
    ends = [(attempt, status) for _, attempt, kind, status in kinds(ledger, job) if "comp" in kind]
    assert ends == [(1, "failed"), (2, "completed")]


def test_a_pending_job_is_canceled_at_once_and_a_late_flow_run_does_not_revive_it(ledger):
    job = ledger.create_job(new_job(ledger), launch=True)
    ledger.request_cancel(job.id)
    ledger.request_cancel(job.id)
    assert ledger.job(job.id).status is JobStatus.CANCELED
    assert ledger.is_cancel_requested(job.id)
    with pytest.raises(ConflictError, match="ask for it again"):
        ledger.set_status(job.id, JobStatus.RUNNING)
    assert ledger.retry(job.id).attempt == 2
    assert ledger.retry(job.id).attempt == 2
    assert not ledger.is_cancel_requested(job.id)
    run_to(ledger, job, JobStatus.RUNNING, JobStatus.COMPLETED)
    assert [kind for _, _, kind, _ in kinds(ledger, job)].count("job:complete") == 2


def test_a_running_job_is_canceled_by_its_worker(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING)
    assert not ledger.is_cancel_requested(job.id)
    ledger.request_cancel(job.id)
    assert ledger.job(job.id).status is JobStatus.CANCELING
    run_to(ledger, job, JobStatus.RUNNING)  # the next worker of a job that is canceling
    assert ledger.job(job.id).status is JobStatus.CANCELING
    run_to(ledger, job, JobStatus.CANCELED)
    with pytest.raises(ConflictError):
        ledger.append_event(job.id, "job:complete", {})


@pytest.mark.parametrize(
    ("asked", "becomes"),
    [
        (JobStatus.PENDING, JobStatus.CANCELED),
        (JobStatus.COMPLETED_WITH_ERRORS, JobStatus.COMPLETED_WITH_ERRORS),
    ],
)
def test_a_cancellation_after_the_last_safe_point_strands_nothing(ledger, asked, becomes):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING)
    ledger.request_cancel(job.id)
    run_to(ledger, job, asked)
    assert ledger.job(job.id).status is becomes
    with pytest.raises(ConflictError):
        ledger.append_event(job.id, "job:complete", {})


def test_a_job_that_is_done_cannot_be_canceled(ledger):
    job = ledger.create_job(new_job(ledger))
    run_to(ledger, job, JobStatus.RUNNING, JobStatus.COMPLETED)
    with pytest.raises(ConflictError):
        ledger.request_cancel(job.id)


def test_numbers_of_events_have_no_gaps_when_many_write(ledger):
    job = ledger.create_job(new_job(ledger))
    with ThreadPoolExecutor(8) as pool:
        numbers = list(
            pool.map(lambda n: ledger.append_event(job.id, "job:progress", {"n": n}), range(64))
        )
    assert sorted(numbers) == list(range(1, 65))
    assert [event.seq for event in ledger.events(job.id)] == list(range(1, 65))
    assert [event.seq for event in ledger.events(job.id, after_seq=62)] == [63, 64]


def test_an_event_is_announced_when_it_is_committed(ledger, database_url):
    job = ledger.create_job(new_job(ledger))
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute("LISTEN job_events")
        ledger.append_event(job.id, "job:progress", {})
        heard = [note.payload for note in listener.notifies(timeout=10, stop_after=1)]
    assert heard == [f"{job.id}:1"]


def test_one_worker_holds_a_job_and_epochs_fence_off_the_others(ledger):
    job = ledger.create_job(new_job(ledger))
    first = ledger.acquire_lease(job.id, "a", 30)
    assert ledger.acquire_lease(job.id, "a", 30) == first
    with pytest.raises(BusyError, match="held by a"):
        ledger.acquire_lease(job.id, "b", 30)
    ledger.renew_lease(job.id, "a", first, -1)  # it runs out
    second = ledger.acquire_lease(job.id, "b", 30)
    assert second == first + 1
    with pytest.raises(ConflictError):
        ledger.renew_lease(job.id, "a", first, 30)
    with pytest.raises(ConflictError):
        ledger.set_status(job.id, JobStatus.RUNNING, epoch=first)
    ledger.release_lease(job.id, "a", first)  # not its to give
    with pytest.raises(BusyError):
        ledger.acquire_lease(job.id, "c", 30)
    ledger.release_lease(job.id, "b", second)
    assert ledger.acquire_lease(job.id, "c", 30) == second + 1


def test_of_many_that_want_a_job_one_gets_it(ledger):
    job = ledger.create_job(new_job(ledger))
    start = threading.Barrier(8)

    def take(name):
        start.wait()
        try:
            return ledger.acquire_lease(job.id, name, 30)
        except BusyError:
            return None

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(take, "abcdefgh"))
    assert [epoch for epoch in got if epoch is not None] == [1]


def test_jobs_whose_worker_is_gone_are_found(ledger):
    held, gone, left, waiting = (ledger.create_job(new_job(ledger)) for _ in range(4))
    for job, ttl in ((held, 30), (gone, -1), (left, 30)):
        epoch = ledger.acquire_lease(job.id, "w", ttl)
        ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.release_lease(left.id, "w", epoch)
    assert {job.id for job in ledger.expired_jobs()} == {gone.id, left.id}
    assert waiting.status is JobStatus.PENDING


def test_a_root_is_made_once_and_remembers_its_index(ledger):
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(ledger.root_for, ["s3://bucket/x"] * 8))
    assert len(found) == 1
    root = found.pop()
    assert ledger.root(root.id) == root
    assert root in ledger.roots()
    assert ledger.roots(account_id=NOBODY) == []
    assert ledger.last_index(root.id) is None
    ledger.set_last_index(root.id, REF, job_id=NOBODY)
    assert ledger.last_index(root.id) == REF


def test_a_plan_is_applied_only_when_somebody_approved_it(ledger):
    job = ledger.create_job(new_job(ledger))
    plan = new_plan(job)
    ledger.save_plan(plan)
    ledger.save_plan(plan)
    assert ledger.plan(plan.id) == plan == ledger.plan_of_job(job.id)
    assert ledger.job(job.id).plan_hash == plan.plan_hash
    with pytest.raises(ForbiddenError, match="fileorganizer apply"):
        ledger.approved_plan(job.id)
    approved = ledger.approve(plan.id, by="ann")
    assert (approved.plan, approved.approved_by) == (plan, "ann")
    assert ledger.approve(plan.id, by="bob") == approved == ledger.approved_plan(job.id)
    with pytest.raises(ConflictError):
        ledger.save_plan(replace(plan, plan_hash="d" * 64))


def test_a_newer_plan_takes_the_place_of_an_approved_one(ledger):
    job = ledger.create_job(new_job(ledger))
    old, new = new_plan(job), new_plan(job, "e" * 64)
    ledger.save_plan(old)
    ledger.approve(old.id, by="ann")
    ledger.save_plan(new)
    with pytest.raises(ConflictError, match="replaced"):
        ledger.approve(old.id, by="ann")
    with pytest.raises(ForbiddenError):
        ledger.approved_plan(job.id)


def test_approving_the_plan_of_a_canceled_job_asks_for_it_again(ledger):
    job = ledger.create_job(new_job(ledger))
    plan = new_plan(job)
    ledger.save_plan(plan)
    ledger.request_cancel(job.id)
    ledger.approve(plan.id, by="ann")
    ledger.set_status(job.id, JobStatus.RUNNING)
    assert ledger.job(job.id).attempt == 2


def test_errors_say_what_to_do(database_url, postgres_url):
    with pytest.raises(BusyError, match="fileorganizer up"):
        Ledger("postgresql://nobody:x@127.0.0.1:1/none").jobs()
    with pytest.raises(BrokenError, match="not up to date"):
        Ledger(postgres_url.rsplit("/", 1)[0] + "/postgres").jobs()
    for wrong in ("sqlite://", "no url"):
        with pytest.raises(InvalidError, match="Postgres"):
            Ledger(wrong)
    with pytest.raises(InvalidError):
        Ledger(database_url).job("not a uuid")
    with pytest.raises(ConflictError):
        Ledger(database_url).root_for("file:///x", account_id=NOBODY)
    with pytest.raises(BusyError, match="FILEORGANIZER_DATABASE_URL"):
        open_ledger(Settings(database_url=None))
    close_pools()


def test_a_server_that_dropped_its_connections_is_met_again(ledger, database_url, postgres_url):
    job = ledger.create_job(new_job(ledger))
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database_url.rsplit("/", 1)[1]],
        )
    assert ledger.job(job.id) == job


def test_the_job_in_an_event_is_plain_json(ledger):
    job = ledger.create_job(new_job(ledger))
    ledger.set_status(job.id, JobStatus.RUNNING)
    assert json.loads(json.dumps(ledger.events(job.id)[0].data))["organization_mode"]
