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


OPEN: frozenset[OperationState] = frozenset({OperationState.PLANNED, OperationState.COPIED})
"""States that a resume must carry on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One journaled operation; `job_id` and `seq` are its identity.

    `source_url` and `destination_url` are roots; keys are below them. `receipt` holds what was
    read and when, for removals (hashes, versions, times of member and keeper).
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
