"""Jobs as the rooms write them: submitted with their launch, asked to stop, rest or go on.

Whatever is asked for is a row and, where a flow must run, a launch in the same transaction. The
steps are those of the pipeline's ledger; both stand on `models.tables.statements`.
"""

from typing import Any

from sqlalchemy import Select, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.errors import ConflictError, MissingError
from models.domain.job_events import EventKind
from models.domain.job_view import job_view
from models.domain.jobs import TERMINAL, Job, JobStatus
from models.tables.base import table_of
from models.tables.jobs import JobEventRow, OrganizationJobRow
from models.tables.mapping import job_from, job_values
from models.tables.statements import APPEND_EVENT, LAUNCH, NEXT_ATTEMPT, launch_parameters

JOBS = table_of(OrganizationJobRow)
EVENTS = table_of(JobEventRow)
REVIVABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELED})


class AccountJobs:
    """The jobs of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    def of_account(self) -> Select[Any]:
        """Return the statement that every read begins with."""
        return select(JOBS).where(JOBS.c.user_id == self._account_id)

    async def find(self, job_id: str, *, is_locked: bool = False) -> Job:
        """Return a job, locked until the transaction ends where asked.

        Raises:
            MissingError: there is none of this account.
        """
        query = self.of_account().where(JOBS.c.id == job_id)
        if is_locked:
            query = query.with_for_update(key_share=True)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        return job_from(row)

    async def submit(self, job: Job, *, deployment: str, is_preview: bool = False) -> Job:
        """Store a new job and ask for its flow run, in one transaction.

        Args:
            job: a pending job.
            deployment: `flow/deployment`.
            is_preview: whether it only shows what would happen.

        Raises:
            ConflictError: a job of this id exists, or a root or target does not.
        """
        values = {**job_values(job), "user_id": self._account_id}
        if is_preview:
            values["submitted_at"] = None
        await self._connection.execute(insert(JOBS).values(values))
        await self.launch(job.id, deployment)
        return await self.find(job.id)

    async def launch(self, job_id: str, deployment: str) -> None:
        """Ask for a flow run of a job."""
        await self._connection.execute(LAUNCH, launch_parameters(job_id, deployment))

    async def change(self, job_id: str, **values: Any) -> Job:
        """Write columns of a job and return it."""
        change = update(JOBS).where(JOBS.c.id == job_id, JOBS.c.user_id == self._account_id)
        await self._connection.execute(change.values(**values))
        return await self.find(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop: one that waits is canceled at once, a running one at a safe point.

        Raises:
            MissingError: there is none of this account.
            ConflictError: it has ended already.
        """
        job = await self.find(job_id, is_locked=True)
        if job.status is JobStatus.CANCELING:
            return job
        if job.status in TERMINAL and not self._is_asked_again(job):
            raise ConflictError(f"job {job_id} is {job.status} and cannot be canceled")
        values: dict[str, Any] = {"cancel_requested_at": func.now()}
        if job.status is JobStatus.RUNNING:
            return await self._told(job_id, status=JobStatus.CANCELING.value, **values)
        if job.status is JobStatus.PENDING:
            values["status"] = JobStatus.CANCELED.value
        values |= {"completed_at": func.now(), "progress_at": func.now(), "paused_at": None}
        return await self._told(job_id, kind=EventKind.COMPLETE, **values)

    async def ask_again(self, job_id: str, deployment: str) -> Job:
        """Begin the next attempt at a job that failed or was canceled, and ask for its run.

        Raises:
            MissingError: there is none of this account.
            ConflictError: it is done, or still open.
        """
        job = await self.find(job_id, is_locked=True)
        if job.status not in REVIVABLE:
            raise ConflictError(f"job {job_id} is {job.status}; only what failed is tried again")
        if not await self._is_closed(job):
            raise ConflictError(f"job {job_id} is being tried again already")
        await self.change(job_id, **NEXT_ATTEMPT, attempt=job.attempt + 1)
        await self.launch(job_id, deployment)
        return await self._told(job_id)

    async def pause(self, job_id: str) -> Job:
        """Ask a job to rest: at once where it waits, at its next safe point where it runs.

        Raises:
            MissingError: there is none of this account.
            ConflictError: it has ended, or is about to.
        """
        job = await self.find(job_id, is_locked=True)
        if job.status not in {JobStatus.PENDING, JobStatus.RUNNING}:
            raise ConflictError(f"job {job_id} is {job.status} and cannot rest")
        if job.paused_at is not None:
            return job
        return await self._told(job_id, paused_at=func.now())

    async def resume(self, job_id: str, deployment: str) -> Job:
        """Let a job that rests go on.

        Raises:
            MissingError: there is none of this account.
            ConflictError: it does not rest, or not yet.
        """
        job = await self.find(job_id, is_locked=True)
        if job.paused_at is None:
            raise ConflictError(f"job {job_id} does not rest")
        if job.status is not JobStatus.PENDING:
            raise ConflictError(f"job {job_id} is on its way to rest; resume it in some seconds")
        await self.launch(job_id, deployment)
        return await self._told(job_id, paused_at=None)

    async def _told(
        self, job_id: str, *, kind: EventKind = EventKind.PROGRESS, **values: Any
    ) -> Job:
        """Write columns of a job and append the event that tells of it."""
        job = await self.change(job_id, **values) if values else await self.find(job_id)
        parameters = {"job_id": job_id, "kind": kind.value, "data": job_view(job)}
        await self._connection.execute(APPEND_EVENT, parameters)
        return job

    @staticmethod
    def _is_asked_again(job: Job) -> bool:
        """Whether it ended once and waits for its next attempt."""
        return job.status in REVIVABLE and job.completed_at is None

    async def _is_closed(self, job: Job) -> bool:
        """Whether the job's attempt has its terminal event."""
        found = exists().where(
            EVENTS.c.job_id == job.id,
            EVENTS.c.attempt == job.attempt,
            EVENTS.c.kind == EventKind.COMPLETE.value,
        )
        return bool((await self._connection.execute(select(found))).scalar_one())
