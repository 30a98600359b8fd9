"""The room's door to Postgres: events by number, notices by time."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.errors import MissingError
from models.domain.job_events import JobEvent
from models.domain.jobs import JobKind
from models.domain.notices import Notice
from models.tables.base import table_of
from models.tables.jobs import JobEventRow, OrganizationJobRow
from models.tables.mapping import event_from
from models.tables.notifications import NotificationRow

JOBS = table_of(OrganizationJobRow)
EVENTS = table_of(JobEventRow)
NOTICES = table_of(NotificationRow)

MOST = 500
"""Rows read at once."""

UNTOLD = (JobKind.UPLOADED.value,)
"""Kinds of jobs of which one is told only when one asks: each upload is one."""

AFTER = text("""
SELECT e.job_id::text AS job_id, e.seq, e.attempt, e.kind, e.data, e.created_at
  FROM unnest(:ids, :seqs) AS known (job_id, seq)
  JOIN organization_jobs j ON j.id = known.job_id AND j.user_id = :account
  JOIN job_events e ON e.job_id = j.id AND e.seq > known.seq
 ORDER BY e.job_id, e.seq LIMIT :most""").bindparams(
    bindparam("ids", type_=ARRAY(UUID(as_uuid=False))),
    bindparam("seqs", type_=ARRAY(BIGINT())),
    bindparam("account", type_=UUID(as_uuid=False)),
)


class Happenings:
    """What happened to one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    def of_account(self) -> Select[Any]:
        """Return the statement that every read of jobs begins with."""
        return select(JOBS.c.id, JOBS.c.progress_seq).where(JOBS.c.user_id == self._account_id)

    async def now(self) -> datetime:
        """Return the database's time."""
        return (await self._connection.execute(select(func.clock_timestamp()))).scalar_one()

    async def newest(self, job_id: str) -> tuple[int, str | None]:
        """Return number and kind of a job's newest event; 0 and None before the first.

        Raises:
            MissingError: there is no such job of the account.
        """
        mine = self.of_account().where(JOBS.c.id == job_id)
        row = (await self._connection.execute(mine)).one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        seq = int(row.progress_seq)
        query = select(EVENTS.c.kind).where(EVENTS.c.job_id == job_id, EVENTS.c.seq == seq)
        kind = (await self._connection.execute(query)).scalar_one_or_none()
        return seq, kind

    async def numbers(self, *, since: datetime | None = None) -> dict[str, int]:
        """Return by open job the number of its newest event.

        Args:
            since: also jobs that were asked for since then, although they ended.
        """
        is_wanted = JOBS.c.completed_at.is_(None)
        if since is not None:
            is_wanted = or_(is_wanted, JOBS.c.created_at >= since)
        query = self.of_account().where(is_wanted, JOBS.c.kind.not_in(UNTOLD))
        return {row.id: row.progress_seq for row in await self._connection.execute(query)}

    async def numbers_of(self, job_ids: Collection[str]) -> dict[str, int]:
        """Return by job the number of its newest event; what is not the account's is left out."""
        query = self.of_account().where(JOBS.c.id.in_(job_ids))
        return {row.id: row.progress_seq for row in await self._connection.execute(query)}

    async def events_after(self, known: Mapping[str, int]) -> list[JobEvent]:
        """Return events beyond the numbers given, of each job in order; at most `MOST`."""
        parameters = {
            "ids": list(known),
            "seqs": list(known.values()),
            "account": self._account_id,
            "most": MOST,
        }
        rows = await self._connection.execute(AFTER, parameters)
        return [event_from(row) for row in rows.mappings()]

    async def notices_since(self, moment: datetime) -> list[Notice]:
        """Return notices made since a time, the oldest first; at most `MOST`."""
        query = (
            select(NOTICES)
            .where(NOTICES.c.user_id == self._account_id, NOTICES.c.created_at >= moment)
            .order_by(NOTICES.c.created_at, NOTICES.c.id)
            .limit(MOST)
        )
        return [_notice(row) for row in (await self._connection.execute(query)).mappings()]


async def told_event(
    connection: AsyncConnection, job_id: str, seq: int
) -> tuple[str, str, JobEvent] | None:
    """Return an event with its account and the kind of its job: a notification named it."""
    query = (
        select(EVENTS, JOBS.c.user_id, JOBS.c.kind.label("job_kind"))
        .join(JOBS, JOBS.c.id == EVENTS.c.job_id)
        .where(EVENTS.c.job_id == job_id, EVENTS.c.seq == seq)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else (row["user_id"], row["job_kind"], event_from(row))


async def told_notice(
    connection: AsyncConnection, account_id: str, notice_id: str
) -> Notice | None:
    """Return a notice of an account: a notification named it."""
    query = select(NOTICES).where(NOTICES.c.user_id == account_id, NOTICES.c.id == notice_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _notice(row)


def _notice(row: RowMapping) -> Notice:
    names = ("id", "kind", "title", "body", "created_at", "read_at", "data")
    return Notice(**{name: row[name] for name in names})
