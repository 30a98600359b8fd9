"""The room's door to Postgres: figures of one account."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import literal, select, tuple_
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from api.analytics import statements
from api.shell.events import DuplicateTotals, duplicate_totals
from models.domain.categories import NEEDS_REVIEW
from models.domain.insights import STALE, Folder, Holdings
from models.domain.price_list import BYTES_PER_GB
from models.tables.analytics import AnalyticsEventRow
from models.tables.base import table_of

EVENTS = table_of(AnalyticsEventRow)

FOLDERS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is stored, and what may be; None without a limit."""

    used_bytes: int
    quota_gb: int | None

    @property
    def quota_bytes(self) -> int | None:
        """The quota in bytes."""
        return None if self.quota_gb is None else self.quota_gb * BYTES_PER_GB


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One thing that happened."""

    id: str
    type: str
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePoint:
    """What an account held at the end of an interval, and what came and went in it."""

    day: datetime
    files: int
    bytes: int
    added_files: int
    added_bytes: int
    removed_files: int


class Figures:
    """Figures of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    async def storage(self) -> Storage:
        """Return what is stored, and the quota."""
        row = (await self._run(statements.STORAGE)).one()
        return Storage(used_bytes=row.storage_used_bytes, quota_gb=row.storage_quota_gb)

    async def by_category(self) -> dict[str, tuple[int, int]]:
        """Return live files and their bytes by coarse category."""
        rows = await self._run(statements.BY_CATEGORY)
        return {row.coarse_category: (row.files, row.bytes) for row in rows}

    async def duplicates(self) -> DuplicateTotals:
        """Return the totals of the files of equal bytes."""
        return await duplicate_totals(self._connection, self._account_id)

    async def activity(
        self, types: Collection[str], *, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[Activity]:
        """Return events of some types after a place, the newest first."""
        query = (
            select(EVENTS)
            .where(EVENTS.c.user_id == self._account_id, EVENTS.c.event_type.in_(sorted(types)))
            .order_by(EVENTS.c.created_at.desc(), EVENTS.c.id.desc())
            .limit(limit)
        )
        if after is not None:
            place = tuple_(literal(after[0]), literal(after[1], UUID(as_uuid=False)))
            query = query.where(tuple_(EVENTS.c.created_at, EVENTS.c.id) < place)
        rows = (await self._connection.execute(query)).mappings()
        return [
            Activity(
                id=row["id"],
                type=row["event_type"],
                data=row["event_data"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    async def storage_points(
        self, first: datetime, last: datetime, step: timedelta
    ) -> list[StoragePoint]:
        """Return what was held at the end of every interval from `first` to `last`."""
        rows = await self._run(statements.DAYS, first=first, last=last, end=last + step, step=step)
        return [StoragePoint(**dict(row)) for row in rows.mappings()]

    async def holdings(self, *, with_near: bool) -> Holdings:
        """Return what advice goes by."""
        storage = await self.storage()
        counted = await self.by_category()
        totals = await self.duplicates()
        stale_ns = time.time_ns() - int(STALE.total_seconds()) * 10**9
        rest = (await self._run(statements.HOLDINGS, stale_ns=stale_ns)).mappings().one()
        undecided = await self._run(statements.UNDECIDED, undecided=NEEDS_REVIEW)
        folders = await self._run(statements.FOLDERS, most=FOLDERS_SHOWN)
        near = (await self._run(statements.NEAR)).one() if with_near else None
        return Holdings(
            used_bytes=storage.used_bytes,
            quota_bytes=storage.quota_bytes,
            files=sum(files for files, _ in counted.values()),
            bytes=sum(size for _, size in counted.values()),
            duplicates=totals.duplicates_count,
            duplicate_bytes=totals.wasted_bytes,
            near=None if near is None else (near.groups, near.bytes),
            undecided_files=undecided.scalar_one(),
            folders=tuple(Folder(**dict(row)) for row in folders.mappings()),
            **dict(rest),
        )

    async def _run(self, statement: Any, **parameters: Any) -> Any:
        return await self._connection.execute(
            statement, {"account": self._account_id, **parameters}
        )
