"""A job while a flow carries it out: leased, followed, and stopped at safe points only."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from models.domain.entitlements import require_files
from models.domain.errors import ConflictError, FileOrganizerError
from models.domain.jobs import Job, JobStatus
from tasks.lifecycle.ports import JobLedger, LeaseLedger

PROGRESS_INTERVAL_S = 0.25
"""At most four progress records a second for each job (DESIGN D11)."""

MAX_BATCHES = 1000
"""Task runs in one flow run (DESIGN D4); larger jobs get larger batches."""


class JobCanceledError(ConflictError):
    """The job was asked to stop; everything up to here is whole."""


class JobPausedError(ConflictError):
    """The job was asked to rest; it goes on from here when it is resumed."""


def batch_ranges(rows: int, *, batch_rows: int) -> list[tuple[int, int]]:
    """Return [first, last) ranges that cover (rows,) in order, at most `MAX_BATCHES` of them."""
    size = max(batch_rows, -(-rows // MAX_BATCHES), 1)
    return [(first, min(first + size, rows)) for first in range(0, rows, size)]


def worker_name() -> str:
    """Return a name for this holder of leases that no other holder has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Lease:
    """Keeps a job's lease alive from a thread of its own while the body runs."""

    def __init__(self, ledger: LeaseLedger, job_id: str, ttl_s: float) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._ttl_s = ttl_s
        self._owner = worker_name()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{job_id}", daemon=True)
        self.epoch = 0
        self.is_lost = False

    def __enter__(self) -> Self:
        self.epoch = self._ledger.acquire_lease(self._job_id, self._owner, self._ttl_s)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=self._ttl_s)
        if not self.is_lost:
            self._ledger.release_lease(self._job_id, self._owner, self.epoch)

    def _renew(self) -> None:
        while not self._stopped.wait(self._ttl_s / 3):
            try:
                self._ledger.renew_lease(self._job_id, self._owner, self.epoch, self._ttl_s)
            except ConflictError:
                self.is_lost = True
                return
            except FileOrganizerError:
                continue  # the database is away for a moment; the lease's life is the limit


class JobRun:
    """What a flow body needs of its job: its facts, its epoch, progress and safe points."""

    def __init__(self, ledger: JobLedger, job: Job, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._last_progress_s = 0.0
        self.job = job
        self.outcome = JobStatus.COMPLETED

    @property
    def epoch(self) -> int:
        """Fencing number: writes of an older holder are refused."""
        return self._lease.epoch

    def safe_point(self) -> None:
        """Stop here if the job was asked to, or if another worker holds it now.

        Raises:
            JobCanceledError: a cancellation was requested.
            JobPausedError: it shall rest until it is resumed.
            ConflictError: the lease was lost.
        """
        if self._lease.is_lost:
            raise ConflictError(f"job {self.job.id} is held by another worker now")
        if self._ledger.is_cancel_requested(self.job.id):
            raise JobCanceledError(f"job {self.job.id} was canceled")
        if self._ledger.is_pause_requested(self.job.id):
            raise JobPausedError(f"job {self.job.id} rests until it is resumed")

    def require_room(self, files: int) -> None:
        """Refuse more files than the account's plan allows a job.

        Raises:
            ForbiddenError: there are more.
        """
        require_files(self.job.entitlement_snapshot, files)

    def progress(
        self, phase: str, done: int, total: int, *, span: tuple[float, float], **counters: int
    ) -> None:
        """Record progress: `done` of `total` inside `span`, the phase's share of the whole job."""
        now = time.monotonic()
        if done < total and now - self._last_progress_s < PROGRESS_INTERVAL_S:
            return
        self._last_progress_s = now
        low, high = span
        ratio = low + (high - low) * (done / total if total else 1.0)
        self._ledger.set_progress(
            self.job.id, phase=phase, progress_ratio=ratio, epoch=self.epoch, **counters
        )


@contextmanager
def run_job(
    ledger: JobLedger,
    job_id: str,
    *,
    lease_s: float,
    on_done: Callable[[JobRun], JobStatus],
) -> Generator[JobRun]:
    """Hold a job while the body runs, and settle its status however the body ends.

    A canceled body leaves the job canceled, a paused one pending; a failed one leaves it failed
    with the error's text; one that is terminated (a worker that shuts down) leaves it running
    without a lease, so that the dispatcher hands it to another worker.

    Args:
        ledger: where jobs live.
        job_id: the job to hold.
        lease_s: life of the lease between renewals, seconds.
        on_done: the status after a body that ended well.

    Raises:
        BusyError: another worker holds the job.
        ConflictError: the job's status does not allow it to run.
    """
    with Lease(ledger, job_id, lease_s) as lease:
        ledger.set_status(job_id, JobStatus.RUNNING, epoch=lease.epoch)
        run = JobRun(ledger, ledger.job(job_id), lease)
        try:
            run.safe_point()
            yield run
        except JobCanceledError:
            ledger.set_status(job_id, JobStatus.CANCELED, epoch=lease.epoch)
            raise
        except JobPausedError:
            ledger.set_status(job_id, JobStatus.PENDING, epoch=lease.epoch)
            raise
        except Exception as error:
            with suppress(ConflictError):  # another worker holds the job now: its status is theirs
                text = str(error) or repr(error)
                ledger.set_status(job_id, JobStatus.FAILED, error=text, epoch=lease.epoch)
            raise
        ledger.set_status(job_id, on_done(run), epoch=lease.epoch)
