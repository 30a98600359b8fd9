"""What publishing needs of the ledger."""

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from models.domain.catalog import CatalogChanges
from models.domain.job_events import JobEvent
from models.domain.jobs import Job
from models.domain.operations import Operation, OperationState
from models.domain.table_refs import TableRef


class PublishLedger(Protocol):
    """The job, its journal and events, and the catalog; `tasks.ledger` provides it."""

    def job(self, job_id: str) -> Job:
        """Return the job. Raises MissingError."""
        ...

    def operations(
        self,
        job_id: str,
        *,
        states: Sequence[OperationState] | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Operation]:
        """Return operations in order of `seq`."""
        ...

    def operation_counts(self, job_id: str) -> dict[OperationState, int]:
        """Return how many operations stand in each state."""
        ...

    def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """Return the events of a job, in order."""
        ...

    def last_index(self, root_id: str) -> TableRef | None:
        """Return the newest fingerprint table of a root."""
        ...

    def last_index_job(self, root_id: str) -> str | None:
        """Return the job that told of a root last."""
        ...

    def catalog_counts(self, root_id: str) -> dict[str, int]:
        """Return `files` and `bytes` that the catalog has of a root, among other counts."""
        ...

    def set_last_index(self, root_id: str, ref: TableRef, *, job_id: str) -> None:
        """Remember the newest fingerprint table of a root."""
        ...

    def publish_files(
        self, job: Job, rows: pa.Table, *, root_id: str | None = None, is_complete: bool = False
    ) -> CatalogChanges:
        """Merge files into the catalog."""
        ...

    def carry_tags(self, job: Job) -> int:
        """Give keepers the tags of what the job removed, or take them back."""
        ...

    def publish_duplicates(self, job: Job, rows: pa.Table, *, root_id: str | None = None) -> int:
        """Replace the duplicate groups of a root."""
        ...

    def mark_deleted(self, job: Job, keys: list[str], *, root_id: str | None = None) -> int:
        """Mark files as gone from their root."""
        ...
