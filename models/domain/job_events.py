"""What happens to a job, in order."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """Kinds of events, named as the specification's socket names them."""

    PROGRESS = "job:progress"
    COMPLETE = "job:complete"
    """The attempt is over, well or not; exactly one for each attempt."""
    UNDONE = "job:undone"
    """Another job undid this one, after its own end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One event.

    Attributes:
        seq: from 1, without gaps within a job.
        data: the job as its readers see it, with `job_id` and `seq`.
    """

    job_id: str
    seq: int
    attempt: int
    kind: str
    data: dict[str, Any]
    created_at: datetime
