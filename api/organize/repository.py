"""What organizing reads and writes of the database, of one account."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, desc, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from api.shell.account_roots import AccountRoots
from api.shell.jobs_repository import AccountJobs
from models.domain.job_view import PAUSED
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.operations import Operation, OperationState
from models.domain.plans import Plan
from models.domain.rules import Rule, in_order, rule_from
from models.tables.accounts import SubscriptionRow
from models.tables.base import table_of
from models.tables.jobs import OrganizationJobRow, OrganizationPlanRow
from models.tables.journal import OrganizationOperationRow
from models.tables.mapping import job_from, plan_from
from models.tables.organizing import RuleRow
from models.tables.statements import UPLOADS_DIGEST

JOBS = table_of(OrganizationJobRow)
PLANS = table_of(OrganizationPlanRow)
OPERATIONS = table_of(OrganizationOperationRow)
RULES = table_of(RuleRow)
SUBSCRIPTIONS = table_of(SubscriptionRow)

LISTED = (JobKind.ORGANIZE.value, JobKind.UNDO.value, JobKind.DEDUPLICATE.value)
"""Kinds of jobs that customers ask for by themselves."""

OPEN = (JobStatus.PENDING.value, JobStatus.RUNNING.value, JobStatus.CANCELING.value)

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
"""Requests of one account that count its jobs wait for each other, until their transaction ends."""


class Organizing:
    """Jobs, plans, roots and rules of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id
        self.jobs = AccountJobs(connection, account_id)
        self.roots = AccountRoots(connection, account_id)

    async def page(self, *, status: str | None, limit: int, offset: int) -> tuple[list[Job], int]:
        """Return a page of the newest jobs, and how many there are in all; previews are none."""
        asked = self.jobs.of_account().where(
            JOBS.c.submitted_at.is_not(None), JOBS.c.kind.in_(LISTED)
        )
        if status is not None:
            asked = asked.where(_stands(status))
        query = asked.order_by(desc(JOBS.c.created_at), desc(JOBS.c.id)).limit(limit).offset(offset)
        rows = (await self._connection.execute(query)).mappings().all()
        count = select(func.count()).select_from(asked.subquery())
        total = (await self._connection.execute(count)).scalar_one()
        return [job_from(row) for row in rows], int(total)

    async def plan_of(self, job_id: str) -> Plan | None:
        """Return the newest plan of a job of the account, or None while there is none."""
        query = (
            select(PLANS)
            .join(JOBS, JOBS.c.id == PLANS.c.job_id)
            .where(PLANS.c.job_id == job_id, JOBS.c.user_id == self._account_id)
            .order_by(desc(PLANS.c.saved_at))
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else plan_from(row)

    async def confirm(self, job: Job, plan: Plan, snapshot: dict[str, Any]) -> None:
        """Approve a preview's plan in the account's name, and make its job one that was asked for.

        Args:
            job: the preview's, locked.
            plan: its newest.
            snapshot: what the account is entitled to now.
        """
        change = update(PLANS).where(PLANS.c.id == plan.id, PLANS.c.approved_at.is_(None))
        values = {"approved_by": self._account_id, "approved_at": func.now()}
        await self._connection.execute(change.values(values))
        await self.jobs.change(
            job.id, preview_id=plan.id, submitted_at=func.now(), entitlement_snapshot=snapshot
        )

    async def operations(
        self, job_id: str, *, state: OperationState | None, after: int, limit: int
    ) -> list[Operation]:
        """Return operations of a job of the account, in the order of application.

        Args:
            job_id: found by `jobs.find` before, so it is the account's.
            state: only these.
            after: `seq` after which they begin; -1 for all.
            limit: at most so many.
        """
        query = (
            select(OPERATIONS)
            .join(JOBS, JOBS.c.id == OPERATIONS.c.job_id)
            .where(
                OPERATIONS.c.job_id == job_id,
                JOBS.c.user_id == self._account_id,
                OPERATIONS.c.seq > after,
            )
            .order_by(OPERATIONS.c.seq)
            .limit(limit)
        )
        if state is not None:
            query = query.where(OPERATIONS.c.state == state.value)
        rows = (await self._connection.execute(query)).mappings().all()
        return [_operation_from(row) for row in rows]

    async def rules(self) -> tuple[Rule, ...]:
        """Return the account's rules in the order in which they are asked."""
        query = select(RULES).where(RULES.c.user_id == self._account_id)
        rows = (await self._connection.execute(query)).mappings().all()
        return in_order(
            rule_from(
                {
                    "id": row["id"],
                    "priority": row["priority"],
                    "when": row["condition"],
                    "then": row["action"],
                }
            )
            for row in rows
        )

    async def uploads_digest(self, root_id: str, folder: str) -> str:
        """Return what the account's uploads below a folder are, in one word."""
        parameters = {"root_id": root_id, "folder": folder}
        return str((await self._connection.execute(UPLOADS_DIGEST, parameters)).scalar_one())

    async def lock_jobs(self) -> None:
        """Let nobody else count or make the account's jobs until the transaction ends."""
        await self._connection.execute(LOCK, {"name": f"jobs of {self._account_id}"})

    async def open_jobs(self) -> int:
        """Return how many jobs the account has under way; plans that wait for a yes are not."""
        waits = and_(
            JOBS.c.status == JobStatus.PENDING.value,
            or_(JOBS.c.paused_at.is_not(None), JOBS.c.plan_hash.is_not(None)),
            or_(JOBS.c.paused_at.is_not(None), JOBS.c.submitted_at.is_(None)),
        )
        query = select(func.count()).where(
            JOBS.c.user_id == self._account_id,
            JOBS.c.status.in_(OPEN),
            JOBS.c.kind.in_(LISTED),
            ~waits,
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def jobs_this_month(self) -> int:
        """Return how many organize jobs were asked for in the account's current month."""
        query = select(func.count()).where(
            JOBS.c.user_id == self._account_id,
            JOBS.c.kind == JobKind.ORGANIZE.value,
            JOBS.c.submitted_at >= await self._month_start(),
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def open_undo_of(self, job_id: str) -> str | None:
        """Return the id of the job that is undoing another just now, or None."""
        query = select(JOBS.c.id).where(
            JOBS.c.user_id == self._account_id,
            JOBS.c.target_job_id == job_id,
            JOBS.c.status.in_(OPEN),
        )
        return (await self._connection.execute(query.limit(1))).scalar_one_or_none()

    async def _month_start(self) -> datetime:
        """Start of the month that is paid for; of the calendar's month in UTC without one."""
        query = select(SUBSCRIPTIONS.c.current_period_start).where(
            SUBSCRIPTIONS.c.user_id == self._account_id,
            SUBSCRIPTIONS.c.current_period_start <= func.now(),
            SUBSCRIPTIONS.c.current_period_end > func.now(),
        )
        paid = (await self._connection.execute(query.limit(1))).scalar_one_or_none()
        if paid is not None:
            return paid
        now = (await self._connection.execute(select(func.now()))).scalar_one()
        return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _stands(status: str) -> ColumnElement[bool]:
    """Whether a job stands where its readers say."""
    is_asked_again = and_(
        JOBS.c.status.in_((JobStatus.FAILED.value, JobStatus.CANCELED.value)),
        JOBS.c.completed_at.is_(None),
    )
    if status == PAUSED:
        return and_(JOBS.c.status == JobStatus.PENDING.value, JOBS.c.paused_at.is_not(None))
    if status == JobStatus.PENDING.value:
        return or_(and_(JOBS.c.status == status, JOBS.c.paused_at.is_(None)), is_asked_again)
    return and_(JOBS.c.status == status, ~is_asked_again)


def _operation_from(row: Any) -> Operation:
    """An operation as far as its readers see it: its roots are known by the job."""
    same: Sequence[str] = (
        *("job_id", "seq", "unit_id", "action", "source_key", "destination_key"),
        *("size_bytes", "modified_ns", "sha256", "version", "error", "reason"),
    )
    known = {name: row[name] for name in same}
    return Operation(source_url="", destination_url="", state=OperationState(row["state"]), **known)
