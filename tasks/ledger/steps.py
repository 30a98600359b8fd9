"""Rules of a job's steps that need no database."""

from sqlalchemy import RowMapping

from models.domain.errors import ConflictError
from models.domain.job_events import EventKind
from models.domain.jobs import TERMINAL, JobStatus


def check_epoch(row: RowMapping, epoch: int | None) -> None:
    """Refuse a worker whose lease another one has taken over.

    Raises:
        ConflictError: `epoch` is given and is not the newest.
    """
    if epoch is not None and row["lease_epoch"] != epoch:
        raise ConflictError(f"job {row['id']} is held by another worker now")


def honoring_cancel(before: JobStatus, after: JobStatus) -> JobStatus:
    """What a canceling job becomes when its worker has not noticed yet."""
    if before is JobStatus.CANCELING and after is JobStatus.PENDING:
        return JobStatus.CANCELED
    if before is JobStatus.CANCELING and after is JobStatus.RUNNING:
        return JobStatus.CANCELING
    return after


def event_kind_of(before: JobStatus, after: JobStatus) -> EventKind:
    """Which event a step is."""
    if after is JobStatus.UNDONE:
        return EventKind.UNDONE
    if after in TERMINAL and before not in TERMINAL:
        return EventKind.COMPLETE
    return EventKind.PROGRESS
