"""What reading everything again found: bytes that are no longer what was recorded."""

from dataclasses import dataclass
from enum import StrEnum

from models.domain.columns import column


class Verdict(StrEnum):
    """What became of one recorded file."""

    INTACT = "intact"
    """Its content is the recorded one."""
    ROTTEN = "rotten"
    """Its content differs although size and modification time say that nobody wrote it."""
    EDITED = "edited"
    """Size or modification time differ too: somebody wrote it, the next re-index records it."""
    MISSING = "missing"
    """It is not where it was."""
    UNREADABLE = "unreadable"
    """The storage refuses or fails to read it, or it changed while it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRow:
    """The verdict on one recorded file."""

    key: str = column("Path below the root.")
    verdict: str = column("What was found, a `Verdict`.")
    sha256_recorded: str = column("SHA-256 the catalog has.")
    sha256_found: str | None = column("SHA-256 of this read; null when it could not be read.")
    size_bytes: int = column("Size the catalog has, in bytes.")
    reason: str = column("Why, in words; empty when intact.")
