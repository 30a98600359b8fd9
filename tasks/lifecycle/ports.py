"""What the life of a job needs of the ledger."""

from collections.abc import Sequence
from typing import Any, Protocol

from models.domain.jobs import Job, JobStatus
from models.domain.sweeps import JobStanding, Shard
from tasks.lifecycle.launching import StartedRun


class LeaseLedger(Protocol):
    """Leases of jobs, or of shares of them."""

    def acquire_lease(self, job_id: str, owner: str, ttl_s: float) -> int:
        """Take the job and return the fencing epoch. Raises BusyError."""
        ...

    def renew_lease(self, job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        """Keep the job. Raises ConflictError when it was lost."""
        ...

    def release_lease(self, job_id: str, owner: str, epoch: int) -> None:
        """Give the job back; nothing happens when it was lost."""
        ...


class JobLedger(LeaseLedger, Protocol):
    """Jobs and their leases; `tasks.ledger` provides it."""

    def job(self, job_id: str) -> Job:
        """Return the job. Raises MissingError."""
        ...

    def set_status(
        self, job_id: str, status: JobStatus, *, error: str | None = None, epoch: int | None = None
    ) -> None:
        """Move the job to a status its life allows. Raises ConflictError."""
        ...

    def set_progress(
        self,
        job_id: str,
        *,
        phase: str,
        progress_ratio: float,
        epoch: int | None = None,
        **counters: int,
    ) -> None:
        """Record how far the job is."""
        ...

    def is_cancel_requested(self, job_id: str) -> bool:
        """Return whether somebody asked the job to stop."""
        ...

    def is_pause_requested(self, job_id: str) -> bool:
        """Return whether somebody asked the job to rest."""
        ...


class SweepLedger(Protocol):
    """Jobs and shards as a sweep looks at them; `tasks.ledger` provides it."""

    def standings(self, job_ids: Sequence[str]) -> dict[str, JobStanding]:
        """Return where jobs stand, by id; those that were never made are missing."""
        ...

    def shards(self, job_ids: Sequence[str]) -> list[Shard]:
        """Return the shares of jobs, by job and number."""
        ...

    def set_status(
        self, job_id: str, status: JobStatus, *, error: str | None = None, epoch: int | None = None
    ) -> None:
        """Move the job to a status its life allows. Raises ConflictError."""
        ...


class Runs(Protocol):
    """Flow runs started below this one; Prefect provides them, or a fake in tests."""

    def start(
        self, deployment: str, parameters: dict[str, Any], *, key: str, name: str
    ) -> StartedRun:
        """Start a run, or return the one that has this key. Raises MissingError, BusyError."""
        ...

    def look(self, run_ids: Sequence[str]) -> dict[str, StartedRun]:
        """Return runs as they are now, by id; those that the server forgot are missing."""
        ...
