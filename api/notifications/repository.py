"""The room's door to Postgres: notices, preferences, feedback."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.notices import Channels, Notice, Topic
from models.tables.analytics import AnalyticsEventRow
from models.tables.base import table_of
from models.tables.notifications import FeedbackRow, NotificationPreferenceRow, NotificationRow

NOTICES = table_of(NotificationRow)
PREFERENCES = table_of(NotificationPreferenceRow)
FEEDBACK = table_of(FeedbackRow)
EVENTS = table_of(AnalyticsEventRow)

UNREAD_COUNTED = 1000
"""Unread notices are counted up to here; a bell shows no more."""


class Notices:
    """What one account is told, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    async def newest(
        self, *, limit: int, after: tuple[datetime, str] | None, is_unread: bool
    ) -> list[Notice]:
        """Return notices after a place, the newest first."""
        query = self._mine().order_by(NOTICES.c.created_at.desc(), NOTICES.c.id.desc())
        if after is not None:
            place = tuple_(literal(after[0]), literal(after[1], UUID(as_uuid=False)))
            query = query.where(tuple_(NOTICES.c.created_at, NOTICES.c.id) < place)
        if is_unread:
            query = query.where(NOTICES.c.read_at.is_(None))
        rows = await self._connection.execute(query.limit(limit))
        return [_notice(row) for row in rows.mappings()]

    async def unread_count(self) -> int:
        """Return how many are unread."""
        some = self._mine().where(NOTICES.c.read_at.is_(None)).limit(UNREAD_COUNTED).subquery()
        found = await self._connection.execute(select(func.count()).select_from(some))
        return int(found.scalar_one())

    async def mark(self, notice_id: str, *, is_read: bool) -> Notice | None:
        """Mark one as read or unread; read again, it keeps the first time. None: no such one."""
        read_at = func.coalesce(NOTICES.c.read_at, func.now()) if is_read else None
        change = (
            update(NOTICES)
            .where(NOTICES.c.user_id == self._account_id, NOTICES.c.id == notice_id)
            .values(read_at=read_at)
            .returning(NOTICES)
        )
        row = (await self._connection.execute(change)).mappings().one_or_none()
        return None if row is None else _notice(row)

    async def mark_all(self) -> None:
        """Mark all as read."""
        await self._connection.execute(
            update(NOTICES)
            .where(NOTICES.c.user_id == self._account_id, NOTICES.c.read_at.is_(None))
            .values(read_at=func.now())
        )

    async def preferences(self) -> dict[Topic, Channels]:
        """Return what was chosen."""
        query = select(PREFERENCES).where(PREFERENCES.c.user_id == self._account_id)
        return {
            Topic(row["kind"]): Channels(in_app=row["in_app"], email=row["email"])
            for row in (await self._connection.execute(query)).mappings()
        }

    async def prefer(self, chosen: Mapping[Topic, Channels]) -> None:
        """Store what was chosen."""
        for topic, channels in chosen.items():
            change = upsert(PREFERENCES).values(
                user_id=self._account_id,
                kind=topic.value,
                in_app=channels.in_app,
                email=channels.email,
            )
            newest = {name: change.excluded[name] for name in ("in_app", "email")}
            await self._connection.execute(
                change.on_conflict_do_update(
                    index_elements=["user_id", "kind"],
                    set_={**newest, "updated_at": func.now()},
                )
            )

    async def say(self, score: int, comment: str) -> tuple[str, datetime]:
        """Store feedback, and the score as an event for the KPIs; returns its id and time."""
        made = await self._connection.execute(
            insert(FEEDBACK)
            .values(user_id=self._account_id, score=score, comment=comment)
            .returning(FEEDBACK.c.id, FEEDBACK.c.created_at)
        )
        identity, created_at = made.one()
        await self._connection.execute(
            insert(EVENTS).values(
                user_id=self._account_id, event_type="feedback", event_data={"score": score}
            )
        )
        return identity, created_at

    def _mine(self) -> Select[Any]:
        return select(NOTICES).where(NOTICES.c.user_id == self._account_id)


def _notice(row: RowMapping) -> Notice:
    names = ("id", "kind", "title", "body", "created_at", "read_at", "data")
    return Notice(**{name: row[name] for name in names})
