"""What happened in an account, in words. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from models.domain.insights import in_words


class EventType(StrEnum):
    """Events that their owner is shown; analytics know more."""

    SIGNED_UP = "user.signed_up"
    UPLOADED = "file.uploaded"
    JOB_ENDED = "job.ended"
    DUPLICATES_DELETED = "duplicates.deleted"
    FEEDBACK = "feedback"


_JOBS = {
    "organize": "Organizing",
    "undo": "Undoing a job",
    "deduplicate": "Removing duplicates",
    "reindex": "Indexing",
    "verify": "Verifying",
    "purge": "Emptying the trash",
}
_ENDS = {
    "completed": "is done",
    "completed_with_errors": "is done, with errors",
    "canceled": "was canceled",
    "failed": "failed",
}


def told(event_type: str, data: Mapping[str, Any]) -> str:
    """Return an event in words, without names of files."""
    if event_type == EventType.JOB_ENDED:
        what = _JOBS.get(str(data.get("kind")), "A job")
        how = _ENDS.get(str(data.get("status")), "ended")
        return f"{what} {how}: {_count(data, 'files_processed')} files"
    if event_type == EventType.UPLOADED:
        return f"A file was uploaded: {in_words(_count(data, 'size_bytes'))}"
    if event_type == EventType.DUPLICATES_DELETED:
        files, size = _count(data, "files"), in_words(_count(data, "bytes"))
        return f"{files} duplicates went to the trash: {size}"
    if event_type == EventType.SIGNED_UP:
        return "The account was made"
    return "Feedback was given"


def _count(data: Mapping[str, Any], name: str) -> int:
    found = data.get(name)
    return found if isinstance(found, int) else 0
