"""A job's lease, status and safe points, on a ledger of dictionaries."""

import threading
import time

import pytest

from models.domain.errors import BusyError, ConflictError, ForbiddenError, StaleError
from models.domain.jobs import Job, JobKind, JobStatus, check_transition
from tasks.lifecycle.core import (
    MAX_BATCHES,
    JobCanceledError,
    JobPausedError,
    JobRun,
    batch_ranges,
    run_job,
)


class DictLedger:
    """One job in memory, with the rules of the real one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.status = JobStatus.PENDING
        self.error: str | None = None
        self.owner: str | None = None
        self.epoch = 0
        self.expires_at = 0.0
        self.renewals = 0
        self.is_canceled = False
        self.is_paused = False
        self.snapshot = None
        self.progress: list[tuple[str, float]] = []

    def job(self, job_id: str) -> Job:
        return Job(
            id=job_id,
            kind=JobKind.ORGANIZE,
            account_id=None,
            status=self.status,
            source_url="memory://a",
            destination_url="memory://a",
            source_root_id="r",
            destination_root_id="r",
            entitlement_snapshot=self.snapshot,
        )

    def set_status(self, job_id, status, *, error=None, epoch=None) -> None:
        if epoch not in {None, self.epoch}:
            raise ConflictError("held by another worker")
        check_transition(self.status, status)
        self.status, self.error = status, error

    def set_progress(self, job_id, *, phase, progress_ratio, epoch=None, **counters):
        self.progress.append((phase, progress_ratio))

    def is_cancel_requested(self, job_id: str) -> bool:
        return self.is_canceled

    def is_pause_requested(self, job_id: str) -> bool:
        return self.is_paused

    def acquire_lease(self, job_id: str, owner: str, ttl_s: float) -> int:
        with self.lock:
            if self.owner and time.monotonic() < self.expires_at:
                raise BusyError("held")
            self.owner, self.expires_at = owner, time.monotonic() + ttl_s
            self.epoch += 1
            return self.epoch

    def renew_lease(self, job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        with self.lock:
            if self.epoch != epoch:
                raise ConflictError("lost")
            self.expires_at = time.monotonic() + ttl_s
            self.renewals += 1

    def release_lease(self, job_id: str, owner: str, epoch: int) -> None:
        with self.lock:
            if self.epoch == epoch:
                self.owner = None


def held(ledger: DictLedger, lease_s: float = 5.0):
    return run_job(ledger, "j", lease_s=lease_s, on_done=lambda run: run.outcome)


def test_a_body_that_ends_well_completes_the_job_and_gives_it_back() -> None:
    ledger = DictLedger()
    with held(ledger) as run:
        assert ledger.status is JobStatus.RUNNING
        assert run.epoch == 1
    assert ledger.status is JobStatus.COMPLETED
    assert ledger.owner is None


def test_a_body_with_troubled_files_completes_with_errors() -> None:
    ledger = DictLedger()
    with held(ledger) as run:
        run.outcome = JobStatus.COMPLETED_WITH_ERRORS
    assert ledger.status is JobStatus.COMPLETED_WITH_ERRORS


def test_a_failed_body_leaves_the_reason() -> None:
    ledger = DictLedger()
    with pytest.raises(StaleError), held(ledger):
        raise StaleError("the keeper changed")
    assert (ledger.status, ledger.error) == (JobStatus.FAILED, "the keeper changed")
    assert ledger.owner is None


def test_a_canceled_job_stops_at_its_safe_point() -> None:
    ledger = DictLedger()
    with pytest.raises(JobCanceledError), held(ledger) as run:
        ledger.is_canceled = True
        run.safe_point()
    assert ledger.status is JobStatus.CANCELED


def test_a_job_canceled_before_it_starts_never_enters_the_body() -> None:
    ledger = DictLedger()
    ledger.is_canceled = True
    with pytest.raises(JobCanceledError), held(ledger):
        pytest.fail("the body ran")
    assert ledger.status is JobStatus.CANCELED


def test_a_paused_job_rests_at_its_safe_point_and_goes_on_when_resumed() -> None:
    ledger = DictLedger()
    with pytest.raises(JobPausedError), held(ledger) as run:
        ledger.is_paused = True
        run.safe_point()
    assert (ledger.status, ledger.owner) == (JobStatus.PENDING, None)
    ledger.is_paused = False
    with held(ledger):
        assert ledger.status is JobStatus.RUNNING
    assert ledger.status is JobStatus.COMPLETED


def test_a_canceled_job_does_not_rest() -> None:
    ledger = DictLedger()
    ledger.is_paused = ledger.is_canceled = True
    with pytest.raises(JobCanceledError), held(ledger):
        pytest.fail("the body ran")
    assert ledger.status is JobStatus.CANCELED


def test_a_job_with_more_files_than_its_plan_allows_fails_and_says_what_to_do() -> None:
    ledger = DictLedger()
    ledger.snapshot = {"plan": "free", "limits": {"files_per_job": 10}}
    with pytest.raises(ForbiddenError), held(ledger) as run:
        run.require_room(10)
        run.require_room(11)
    assert ledger.status is JobStatus.FAILED
    assert ledger.error is not None
    assert "10 files" in ledger.error
    assert "upgrade" in ledger.error


def test_a_terminated_body_leaves_the_job_running_without_a_lease() -> None:
    ledger = DictLedger()
    with pytest.raises(SystemExit), held(ledger):
        raise SystemExit
    assert ledger.status is JobStatus.RUNNING
    assert ledger.owner is None


def test_a_second_worker_is_refused_while_the_first_holds_the_job() -> None:
    ledger = DictLedger()
    with held(ledger), pytest.raises(BusyError), held(ledger):
        pytest.fail("two workers held one job")


def test_a_lost_lease_stops_the_body_and_does_not_touch_the_status() -> None:
    ledger = DictLedger()
    with pytest.raises(ConflictError), held(ledger, lease_s=0.05) as run:
        with ledger.lock:
            ledger.epoch += 1  # another worker took it
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            run.safe_point()
    assert ledger.status is JobStatus.RUNNING


def test_the_lease_is_renewed_while_the_body_works() -> None:
    ledger = DictLedger()
    renewed = threading.Event()
    original = ledger.renew_lease

    def renew(job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        original(job_id, owner, epoch, ttl_s)
        renewed.set()

    ledger.renew_lease = renew
    with held(ledger, lease_s=0.03):
        assert renewed.wait(5)


def test_progress_is_throttled_but_the_end_of_a_phase_is_always_told() -> None:
    ledger = DictLedger()
    with held(ledger) as run:
        for done in range(1, 1001):
            run.progress("reading", done, 1000, span=(0.0, 0.5))
    assert ledger.progress[-1] == ("reading", 0.5)
    assert len(ledger.progress) < 20


@pytest.mark.parametrize(
    ("rows", "batch_rows"), [(0, 10), (1, 10), (10, 10), (11, 10), (1_000_000, 500), (7, 1)]
)
def test_batches_cover_every_row_once_in_order_and_stay_few(rows: int, batch_rows: int) -> None:
    ranges = batch_ranges(rows, batch_rows=batch_rows)
    assert [row for first, last in ranges for row in range(first, last)] == list(range(rows))
    assert len(ranges) <= MAX_BATCHES


def test_progress_of_an_empty_phase_is_its_end() -> None:
    ledger = DictLedger()
    with held(ledger) as run:
        assert isinstance(run, JobRun)
        run.progress("reading", 0, 0, span=(0.1, 0.4))
    assert ledger.progress == [("reading", 0.4)]
