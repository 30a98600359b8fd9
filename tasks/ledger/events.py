"""Events of jobs: appended, numbered without gaps, read again by number."""

from typing import Any

from sqlalchemy import Connection, select

from models.domain.errors import MissingError
from models.domain.job_events import JobEvent
from models.tables.base import table_of
from models.tables.jobs import JobEventRow
from models.tables.mapping import event_from
from models.tables.statements import APPEND_EVENT
from tasks.ledger.database import Database

EVENTS = table_of(JobEventRow)


class Events(Database):
    """The part of the ledger that knows what happened when."""

    def append_event(self, job_id: str, kind: str, data: dict[str, Any]) -> int:
        """Append an event and return its number; readers are notified at the commit.

        Args:
            job_id: the job.
            kind: an `EventKind`; `job:complete` is `set_status`'s to append.
            data: a JSON object; `job_id` and `seq` are added.

        Raises:
            MissingError: there is no such job.
            ConflictError: the attempt already has its terminal event.
        """
        with self._transaction() as connection:
            return self._append(connection, job_id, kind, data)

    def events(self, job_id: str, after_seq: int = 0) -> list[JobEvent]:
        """Return the events of a job with larger numbers than `after_seq`, in order."""
        query = (
            select(EVENTS)
            .where(EVENTS.c.job_id == job_id, EVENTS.c.seq > after_seq)
            .order_by(EVENTS.c.seq)
        )
        with self._transaction() as connection:
            return [event_from(row) for row in connection.execute(query).mappings()]

    @staticmethod
    def _append(connection: Connection, job_id: str, kind: str, data: dict[str, Any]) -> int:
        """Append within the caller's transaction."""
        parameters = {"job_id": job_id, "kind": kind, "data": data}
        seq = connection.execute(APPEND_EVENT, parameters).scalar_one_or_none()
        if seq is None:
            raise MissingError(f"there is no job {job_id}")
        return int(seq)
