"""What applying needs of the ledger: the journal, which alone knows the truth about a job."""

from collections.abc import Sequence
from typing import Protocol

from models.domain.operations import FolderRow, Operation, OperationState, Outcome


class Journal(Protocol):
    """The operations of jobs; `tasks.ledger` provides it, and tests one in memory."""

    def begin(
        self, job_id: str, operations: Sequence[Operation], folders: Sequence[FolderRow]
    ) -> None:
        """Write all operations and folders in one transaction; the same again changes nothing."""
        ...

    def operations(
        self,
        job_id: str,
        *,
        states: Sequence[OperationState] | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Operation]:
        """Return operations in order of `seq`, those of `states` only where given."""
        ...

    def folders(self, job_id: str) -> list[FolderRow]:
        """Return what the job's folders were before it wrote anything."""
        ...

    def record(self, job_id: str, epoch: int, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes in one transaction. Raises ConflictError when `epoch` is fenced off.

        Called without outcomes it only tells whether the epoch still holds.
        """
        ...
