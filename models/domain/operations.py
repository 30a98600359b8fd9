"""The journal's vocabulary: one operation and the states it passes through."""

from dataclasses import dataclass
from enum import StrEnum


class OperationState(StrEnum):
    """Where an operation stands; only forward."""

    PLANNED = "planned"
    COPIED = "copied"
    """The destination is published and verified; the source is still there."""
    DONE = "done"
    REFUSED = "refused"
    """A precondition failed when it was to be carried out; nothing was touched."""
    FAILED = "failed"
    """It could not be carried out; the source is intact."""
    DEFERRED = "deferred"
    """The source is being written; a later run takes it."""


REMOVE = "remove"
"""Journal-only action beside `Action`: the file goes for good, as when an undo takes a copy back or
a purge empties the trash. A plan never holds it; it always needs the proof told in `receipt`."""

OPEN: frozenset[OperationState] = frozenset({OperationState.PLANNED, OperationState.COPIED})
"""States that a resume must carry on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One journaled operation; `job_id` and `seq` are its identity.

    `action` is an `Action` or `REMOVE`; the two URLs are roots and the two keys are below
    them. `receipt` holds what was read and when, for removals (hashes, versions, times of member
    and keeper); before the operation is carried out it says where the keeper may be found.
    """

    job_id: str
    seq: int
    unit_id: str
    action: str
    source_url: str
    source_key: str
    destination_url: str
    destination_key: str
    size_bytes: int
    modified_ns: int
    sha256: str
    version: str
    keeper_key: str | None = None
    state: OperationState = OperationState.PLANNED
    destination_version: str | None = None
    receipt: dict[str, str] | None = None
    error: str | None = None
    reason: str = ""

    @property
    def mark(self) -> str:
        """Name by which storage knows what this operation staged: `<job>-<seq>`."""
        return f"{self.job_id}-{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one operation, as the journal records it.

    Attributes:
        seq: position of the operation in its job.
        state: where it stands now.
        destination_version: version of the destination once it is published.
        receipt: what was read and when, for a later undo and for proof.
        error: why it was refused, failed or deferred, in words.
    """

    seq: int
    state: OperationState
    destination_version: str | None = None
    receipt: dict[str, str] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRow:
    """What a folder looked like before a job wrote anything, for its undo.

    Attributes:
        key: path of the folder below the root; empty for the root itself.
        url: the root.
        existed: whether it was there; a folder that was not is the job's own.
        mode: permission bits; None where the storage has none.
        modified_ns: modification time in nanoseconds; None where the storage has none.
    """

    key: str
    url: str
    existed: bool
    mode: int | None = None
    modified_ns: int | None = None
