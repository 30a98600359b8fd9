"""What the life of a job needs of the ledger."""

from typing import Protocol

from models.domain.jobs import Job, JobStatus


class JobLedger(Protocol):
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

    def acquire_lease(self, job_id: str, owner: str, ttl_s: float) -> int:
        """Take the job and return the fencing epoch. Raises BusyError."""
        ...

    def renew_lease(self, job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        """Keep the job. Raises ConflictError when it was lost."""
        ...

    def release_lease(self, job_id: str, owner: str, epoch: int) -> None:
        """Give the job back; nothing happens when it was lost."""
        ...
