"""The outbox: launches that wait, taken by one dispatcher at a time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.domain.job_events import EventKind
from models.domain.job_view import job_view
from models.domain.jobs import TRANSITIONS, JobStatus
from models.tables.base import table_of
from models.tables.jobs import OrganizationJobRow, OutboxEventRow
from models.tables.mapping import job_from
from models.tables.statements import APPEND_EVENT, LAUNCH, launch_parameters
from models.tables.translation import translated

JOBS = table_of(OrganizationJobRow)
OUTBOX = table_of(OutboxEventRow)

CLAIM = text("""
SELECT o.id, o.job_id::text AS job_id, o.launch_no, o.attempts,
       o.payload ->> 'deployment' AS deployment,
       EXISTS (SELECT FROM job_events e WHERE e.job_id = o.job_id AND e.kind = 'job:complete'
                  AND e.attempt = (SELECT attempt FROM organization_jobs WHERE id = o.job_id)
       ) AS is_closed
  FROM outbox_events o
 WHERE o.sent_at IS NULL AND o.failed_at IS NULL AND o.next_attempt_at <= clock_timestamp()
 ORDER BY o.next_attempt_at, o.id LIMIT 1 FOR UPDATE SKIP LOCKED""")
"""The next launch that is due; others skip it until this transaction ends, however it ends."""

ORPHAN = text("""
SELECT j.id::text AS job_id, j.relaunches, clock_timestamp() AS now,
       (SELECT o.payload ->> 'deployment' FROM outbox_events o WHERE o.job_id = j.id
         ORDER BY o.launch_no DESC LIMIT 1) AS deployment
  FROM organization_jobs j
 WHERE j.lease_expires_at < clock_timestamp()
   AND (j.status IN ('running', 'canceling')
        OR (j.status = 'pending' AND j.lease_owner IS NOT NULL))
   AND (j.relaunch_after IS NULL OR j.relaunch_after <= clock_timestamp())
   AND EXISTS (SELECT FROM outbox_events o WHERE o.job_id = j.id)
   AND NOT EXISTS (SELECT FROM outbox_events o WHERE o.job_id = j.id
                      AND o.sent_at IS NULL AND o.failed_at IS NULL)
 ORDER BY j.lease_expires_at LIMIT 1 FOR NO KEY UPDATE OF j SKIP LOCKED""")
"""A job whose worker died or left, and that the outbox once launched: what runs in somebody's
terminal is theirs to start again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """One launch that waits.

    Attributes:
        attempts: how often sending it failed so far.
        is_closed: whether the job ended meanwhile, so that there is nothing to launch.
    """

    id: int
    job_id: str
    launch_no: int
    deployment: str
    attempts: int
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A job without a worker.

    Attributes:
        relaunches: launches since it last made progress, all of which died.
    """

    job_id: str
    relaunches: int
    deployment: str
    now: Any


class Claim:
    """One launch request, held until the transaction ends."""

    def __init__(self, connection: AsyncConnection, request: LaunchRequest) -> None:
        self._connection = connection
        self.request = request

    async def sent(self, flow_run_id: str) -> None:
        """Mark it as arrived, and tell the job its flow run."""
        await self._settle(sent_at=func.clock_timestamp(), last_error=None)
        change = update(JOBS).where(JOBS.c.id == self.request.job_id)
        await self._connection.execute(change.values(prefect_flow_run_id=flow_run_id))

    async def postponed(self, delay_s: float, reason: str) -> None:
        """Try again after `delay_s` seconds."""
        await self._settle(
            attempts=OUTBOX.c.attempts + 1,
            next_attempt_at=func.clock_timestamp() + timedelta(seconds=delay_s),
            last_error=reason,
        )

    async def dropped(self, reason: str) -> None:
        """Give it up because nobody wants it any more."""
        await self._settle(failed_at=func.clock_timestamp(), last_error=reason)

    async def failed(self, reason: str) -> None:
        """Give it up and fail its job, which nobody else would ever end."""
        await self._settle(
            attempts=OUTBOX.c.attempts + 1, failed_at=func.clock_timestamp(), last_error=reason
        )
        await fail_job(self._connection, self.request.job_id, reason)

    async def _settle(self, **values: Any) -> None:
        change = update(OUTBOX).where(OUTBOX.c.id == self.request.id).values(**values)
        await self._connection.execute(change)


class Outbox:
    """What the dispatcher knows of the database.

    Every method raises BusyError when Postgres does not answer or is occupied.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def claim(self) -> AsyncGenerator[Claim | None]:
        """Hold the next launch that is due, or None; what is decided commits at the end."""
        with translated():
            async with self._engine.begin() as connection:
                row = (await connection.execute(CLAIM)).mappings().one_or_none()
                yield None if row is None else Claim(connection, LaunchRequest(**dict(row)))

    async def relaunch_one(self, *, limit: int, first_delay_s: float) -> str | None:
        """Launch one job again whose worker is gone, and return its id; None when there is none.

        After `limit` launches without progress between them the job fails instead. The first
        launch is due at once; each next one waits twice as long.
        """
        with translated():
            async with self._engine.begin() as connection:
                row = (await connection.execute(ORPHAN)).mappings().one_or_none()
                if row is None:
                    return None
                orphan = Orphan(**dict(row))
                if orphan.relaunches >= limit:
                    reason = f"its worker died {limit + 1} times without progress"
                    await fail_job(connection, orphan.job_id, reason)
                    return orphan.job_id
                delay = timedelta(seconds=first_delay_s * 2**orphan.relaunches)
                parameters = launch_parameters(
                    orphan.job_id,
                    orphan.deployment,
                    relaunches=orphan.relaunches + 1,
                    relaunch_after=orphan.now + delay,
                )
                await connection.execute(LAUNCH, parameters)
                return orphan.job_id


async def fail_job(connection: AsyncConnection, job_id: str, reason: str) -> None:
    """End a job as failed, with its event, unless it ended already."""
    query = select(JOBS).where(JOBS.c.id == job_id)
    locked = query.with_for_update(key_share=True)
    job = job_from((await connection.execute(locked)).mappings().one())
    is_asked_again = job.status in {JobStatus.FAILED, JobStatus.CANCELED} and not job.completed_at
    if JobStatus.FAILED not in TRANSITIONS[job.status] and not is_asked_again:
        return
    values = {
        "status": (job.status if is_asked_again else JobStatus.FAILED).value,
        "error": reason,
        "completed_at": func.now(),
        "lease_epoch": JOBS.c.lease_epoch + 1,  # a worker that is not dead after all is fenced off
        "lease_owner": None,
    }
    await connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(values))
    ended = job_from((await connection.execute(query)).mappings().one())
    parameters = {"job_id": job_id, "kind": EventKind.COMPLETE.value, "data": job_view(ended)}
    await connection.execute(APPEND_EVENT, parameters)
