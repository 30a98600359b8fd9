"""The rules and schedules of one account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.errors import MissingError
from models.domain.rules import Rule, rule_from, said
from models.domain.schedules import Schedule
from models.tables.base import table_of
from models.tables.files import FileRow
from models.tables.organizing import RuleRow, ScheduleRow

RULES = table_of(RuleRow)
SCHEDULES = table_of(ScheduleRow)
FILES = table_of(FileRow)

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
"""Requests of one account that count its rules or schedules wait for each other."""

DUE = text("""
SELECT * FROM schedules WHERE is_active AND next_due_at <= clock_timestamp()
 ORDER BY next_due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED""")
"""The schedule that is due first; other processes skip it until this transaction ends."""


class Setup:
    """Rules and schedules of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    def rules_of_account(self) -> Select[Any]:
        """Return the statement that every read of rules begins with."""
        return select(RULES).where(RULES.c.user_id == self._account_id)

    def of_account(self) -> Select[Any]:
        """Return the statement that every read of schedules begins with."""
        return select(SCHEDULES).where(SCHEDULES.c.user_id == self._account_id)

    async def lock(self) -> None:
        """Let nobody else count what the account set up until the transaction ends."""
        await self._connection.execute(LOCK, {"name": f"setup of {self._account_id}"})

    async def now(self) -> datetime:
        """Return the database's time."""
        return (await self._connection.execute(select(func.now()))).scalar_one()

    async def rules(self, *, limit: int, offset: int) -> tuple[list[Rule], int]:
        """Return a page of rules in the order in which they are asked, and how many there are."""
        query = self.rules_of_account().order_by(RULES.c.priority, RULES.c.id)
        rows = await self._connection.execute(query.limit(limit).offset(offset))
        count = select(func.count()).select_from(self.rules_of_account().subquery())
        total = (await self._connection.execute(count)).scalar_one()
        return [_rule(row) for row in rows.mappings()], int(total)

    async def save_rule(self, rule: Rule) -> Rule:
        """Store a new rule, or change the one of this id.

        Raises:
            MissingError: there is none of this id.
        """
        values = {
            "priority": rule.priority,
            "condition": said(rule.when),
            "action": said(rule.then),
        }
        if rule.id:
            change = update(RULES).where(RULES.c.id == rule.id, self._my_rule())
            statement = change.values(**values, updated_at=func.now()).returning(RULES)
        else:
            new = insert(RULES).values(**values, user_id=self._account_id)
            statement = new.returning(RULES)
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise MissingError("there is no such rule")
        return _rule(row)

    async def remove_rule(self, rule_id: str) -> None:
        """Forget a rule; jobs keep those they were asked for with.

        Raises:
            MissingError: there is none of this account.
        """
        change = delete(RULES).where(RULES.c.id == rule_id, self._my_rule())
        if not (await self._connection.execute(change)).rowcount:
            raise MissingError("there is no such rule")

    async def newest_files(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest live files as rules look at them."""
        query = (
            select(FILES)
            .where(FILES.c.user_id == self._account_id, FILES.c.deleted_at.is_(None))
            .order_by(FILES.c.created_at.desc(), FILES.c.id.desc())
            .limit(limit)
        )
        return [_looked_at(row) for row in (await self._connection.execute(query)).mappings()]

    async def schedules(self, *, limit: int, offset: int) -> tuple[list[Schedule], int]:
        """Return a page of schedules, the newest first, and how many there are."""
        query = self.of_account().order_by(SCHEDULES.c.created_at.desc(), SCHEDULES.c.id)
        rows = await self._connection.execute(query.limit(limit).offset(offset))
        count = select(func.count()).select_from(self.of_account().subquery())
        total = (await self._connection.execute(count)).scalar_one()
        return [schedule_from(row) for row in rows.mappings()], int(total)

    async def schedule(self, schedule_id: str) -> Schedule:
        """Return a schedule, locked until the transaction ends.

        Raises:
            MissingError: there is none of this account.
        """
        query = self.of_account().where(SCHEDULES.c.id == schedule_id).with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise MissingError("there is no such schedule")
        return schedule_from(row)

    async def older(self, schedule: Schedule) -> int:
        """Return how many active schedules the account had before this one."""
        query = select(func.count()).where(
            SCHEDULES.c.user_id == self._account_id,
            SCHEDULES.c.is_active,
            SCHEDULES.c.id != schedule.id,
            SCHEDULES.c.created_at <= schedule.created_at,
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def add_schedule(self, values: Mapping[str, Any]) -> Schedule:
        """Store a new schedule."""
        new = insert(SCHEDULES).values(**values, user_id=self._account_id).returning(SCHEDULES)
        return schedule_from((await self._connection.execute(new)).mappings().one())

    async def change_schedule(self, schedule_id: str, **values: Any) -> Schedule:
        """Write columns of a schedule of the account and return it."""
        change = (
            update(SCHEDULES)
            .where(SCHEDULES.c.id == schedule_id, SCHEDULES.c.user_id == self._account_id)
            .values(**values, updated_at=func.now())
            .returning(SCHEDULES)
        )
        return schedule_from((await self._connection.execute(change)).mappings().one())

    async def remove_schedule(self, schedule_id: str) -> None:
        """Forget a schedule; the jobs it made stay.

        Raises:
            MissingError: there is none of this account.
        """
        change = delete(SCHEDULES).where(
            SCHEDULES.c.id == schedule_id, SCHEDULES.c.user_id == self._account_id
        )
        if not (await self._connection.execute(change)).rowcount:
            raise MissingError("there is no such schedule")

    def _my_rule(self) -> Any:
        return RULES.c.user_id == self._account_id


async def due_schedule(connection: AsyncConnection) -> Schedule | None:
    """Return the schedule of anybody that is due first, locked; None when there is none."""
    row = (await connection.execute(DUE)).mappings().one_or_none()
    return None if row is None else schedule_from(row)


def schedule_from(row: RowMapping) -> Schedule:
    """Return a schedule from its row."""
    same = (
        *("id", "cron", "timezone", "job_template", "is_active", "next_due_at", "created_at"),
        *("last_due_at", "last_job_id", "last_error"),
    )
    return Schedule(account_id=str(row["user_id"]), **{name: _plain(row[name]) for name in same})


def _plain(value: Any) -> Any:
    """Ids as text, whichever way the row was read."""
    return str(value) if isinstance(value, UUID) else value


def _rule(row: RowMapping) -> Rule:
    return rule_from(
        {
            "id": row["id"],
            "priority": row["priority"],
            "when": row["condition"],
            "then": row["action"],
        }
    )


def _looked_at(row: RowMapping) -> dict[str, Any]:
    """A file of the catalog as conditions see it; what only its content tells may be missing."""
    details: Mapping[str, Any] = row["metadata"]
    return {
        "key": row["virtual_path"] or row["original_path"] or row["filename"],
        "size_bytes": row["file_size_bytes"],
        "mime": row["mime_type"],
        "media": details.get("media"),
        "sender": details.get("sender"),
        "category": row["category"],
        "captured_at": details.get("captured_at"),
        "captured_source": details.get("captured_source"),
        "captured_flag": details.get("captured_flag"),
        "modified_ns": row["modified_ns"],
    }
