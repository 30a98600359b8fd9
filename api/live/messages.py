"""What is told live: events of jobs and notices, as their readers get them."""

from dataclasses import dataclass
from typing import Any

from models.domain.job_events import JobEvent
from models.domain.notices import Notice

SHOWN = (
    *("job_id", "seq", "kind", "status", "progress", "phase", "files_total", "files_processed"),
    *("files_moved", "duplicates_found", "errors_count", "attempt", "error", "target_job_id"),
    *("started_at", "completed_at", "estimated_completion"),
)
"""Fields of an event that go out; addresses of storage do not."""

NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        name: `job:progress`, `job:complete`, `job:undone` or `notification`.
        job_id, seq: of an event; None and 0 of a notice.
        data: a JSON document.
        is_asked_for: whether one is told of it without having asked for this very job.
    """

    name: str
    data: dict[str, Any]
    job_id: str | None = None
    seq: int = 0
    is_asked_for: bool = True


def of_event(event: JobEvent, *, is_asked_for: bool = True) -> Message:
    """Return the message of an event."""
    data = {name: event.data.get(name) for name in SHOWN}
    data |= {"job_id": event.job_id, "seq": event.seq}
    return Message(
        name=event.kind,
        data=data,
        job_id=event.job_id,
        seq=event.seq,
        is_asked_for=is_asked_for,
    )


def of_notice(notice: Notice) -> Message:
    """Return the message of a notice: the fields of `GET /notifications`."""
    data = {
        "id": notice.id,
        "kind": notice.kind,
        "title": notice.title,
        "body": notice.body,
        "data": dict(notice.data),
        "read_at": None if notice.read_at is None else notice.read_at.isoformat(),
        "created_at": notice.created_at.isoformat(),
    }
    return Message(name=NOTIFICATION, data=data)
