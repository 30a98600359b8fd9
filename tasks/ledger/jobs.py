"""Jobs: made, launched, followed, stopped, asked for again.

A terminal event closes an *attempt*, and an attempt has exactly one (a partial unique index).
A worker's death does not end an attempt: the next worker resumes it. A failed job that runs again,
and a canceled one that somebody asks for again (`launch`, `retry`, `approve`), begin the next
attempt. Nothing but such a request revives a canceled job, so a flow run that comes late finds it
closed.
"""

from typing import Any

from sqlalchemy import Connection, RowMapping, desc, exists, func, insert, select, update

from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.job_events import EventKind
from models.domain.job_view import job_view
from models.domain.jobs import TERMINAL, Job, JobStatus, check_transition, deployment_of
from models.tables.base import table_of
from models.tables.jobs import JobEventRow, OrganizationJobRow
from models.tables.mapping import job_from, job_values
from models.tables.statements import LAUNCH, NEXT_ATTEMPT, launch_parameters
from tasks.ledger.events import Events
from tasks.ledger.roots import Roots
from tasks.ledger.steps import check_epoch, event_kind_of, honoring_cancel

JOBS = table_of(OrganizationJobRow)
EVENTS = table_of(JobEventRow)

COUNTERS = frozenset(
    {
        "files_total",
        "bytes_total",
        "files_processed",
        "files_moved",
        "duplicates_found",
        "errors_count",
    }
)
"""Counters that `set_progress` takes."""

ALMOST = 0.9999
"""The most a job that has not completed may say; completing alone makes it 1."""

DONE = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS})
REVIVABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELED})


class Jobs(Events, Roots):
    """The part of the ledger that knows where every job stands."""

    def create_job(self, job: Job, *, launch: bool = False, deployment: str | None = None) -> Job:
        """Store a new job; with `launch`, ask for its flow run in the same transaction.

        Args:
            job: a pending job; without an account it is the local account's.
            launch: whether the dispatcher shall hand it to Prefect.
            deployment: `flow/deployment`; that of the job's kind unless said.

        Returns:
            The job as stored.

        Raises:
            ConflictError: a job of this id exists, or a root or the target job does not.
        """
        with self._transaction() as connection:
            account = job.account_id or self._local_account(connection)
            values = {**job_values(job), "user_id": account}
            connection.execute(insert(JOBS).values(values))
            if launch:
                self._launch(connection, job, deployment)
            return self._job(connection, job.id)

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            MissingError: there is no such job.
        """
        with self._transaction() as connection:
            return self._job(connection, job_id)

    def jobs(
        self, limit: int = 50, status: JobStatus | None = None, *, account_id: str | None = None
    ) -> list[Job]:
        """Return the newest jobs first, of one status or account where given."""
        query = select(JOBS).order_by(desc(JOBS.c.created_at), JOBS.c.id).limit(limit)
        if status is not None:
            query = query.where(JOBS.c.status == status.value)
        if account_id is not None:
            query = query.where(JOBS.c.user_id == account_id)
        with self._transaction() as connection:
            return [job_from(row) for row in connection.execute(query).mappings()]

    def launch(self, job_id: str, *, deployment: str | None = None) -> None:
        """Ask for a flow run of a job; of a failed or canceled one, for a new attempt.

        Args:
            job_id: the job.
            deployment: `flow/deployment`; that of the job's kind unless said.

        Raises:
            MissingError: there is no such job.
            ConflictError: it is done.
        """
        with self._transaction() as connection:
            row = self._locked(connection, job_id)
            self._ask_again(connection, row)
            self._launch(connection, job_from(row), deployment)

    def retry(self, job_id: str) -> Job:
        """Open a new attempt at a failed or canceled job, to be run by the caller.

        Its journal stays, so the new attempt goes on where the last one stopped. Nothing happens
        to a job that is still open.

        Raises:
            MissingError: there is no such job.
            ConflictError: it is done.
        """
        with self._transaction() as connection:
            self._ask_again(connection, self._locked(connection, job_id))
            return self._job(connection, job_id)

    def set_status(
        self, job_id: str, status: JobStatus, *, error: str | None = None, epoch: int | None = None
    ) -> None:
        """Move a job to a status its life allows; stamps its times and appends its event.

        The same status again changes nothing. A canceling job that shall be pending (its plan is
        ready) becomes canceled; one that shall run (its next worker is here) stays canceling.

        Args:
            job_id: the job.
            status: where it shall stand.
            error: why it failed, in words.
            epoch: the caller's lease; unless given, nobody's lease is looked at.

        Raises:
            MissingError: there is no such job.
            ConflictError: the status may not follow; the job was canceled and nobody asked again;
                another worker holds the job now.
        """
        with self._transaction() as connection:
            row = self._locked(connection, job_id)
            check_epoch(row, epoch)
            before = JobStatus(row["status"])
            after = honoring_cancel(before, status)
            if before is after:
                return
            check_transition(before, after)
            if before is JobStatus.FAILED and after is JobStatus.RUNNING:
                self._ask_again(connection, row)
            elif before is JobStatus.CANCELED and after is JobStatus.RUNNING:
                self._refuse_closed(connection, row)
            self._step(connection, job_id, before, after, error)

    def set_progress(
        self,
        job_id: str,
        *,
        phase: str,
        progress_ratio: float,
        epoch: int | None = None,
        **counters: int,
    ) -> None:
        """Tell how far a job is and append a `job:progress` event; the caller throttles.

        Progress never falls within an attempt: a smaller ratio keeps the larger one.

        Args:
            job_id: the job.
            phase: what it is busy with, in words.
            progress_ratio: share done, [0, 1].
            epoch: the caller's lease; unless given, nobody's lease is looked at.
            counters: any of `COUNTERS`; those not named keep their values.

        Raises:
            InvalidError: a counter that jobs do not have.
            MissingError: there is no such job.
            ConflictError: another worker holds the job now, or a counter is negative.
        """
        unknown = set(counters) - COUNTERS
        if unknown:
            raise InvalidError(f"jobs do not count {', '.join(sorted(unknown))}")
        ratio = min(max(progress_ratio, 0.0), ALMOST)
        with self._transaction() as connection:
            row = self._locked(connection, job_id)
            check_epoch(row, epoch)
            if JobStatus(row["status"]) in TERMINAL:
                return
            values: dict[str, Any] = {"phase": phase, "progress_at": func.now(), **counters}
            if ratio > row["progress_ratio"]:
                values |= {"progress_ratio": ratio, "relaunches": 0}
            self._update(connection, job_id, values)
            view = job_view(self._job(connection, job_id))
            self._append(connection, job_id, EventKind.PROGRESS, view)

    def request_cancel(self, job_id: str) -> None:
        """Ask a job to stop: a pending one is canceled at once, a running one at a safe point.

        Asking again changes nothing.

        Raises:
            MissingError: there is no such job.
            ConflictError: it has ended already.
        """
        with self._transaction() as connection:
            row = self._locked(connection, job_id)
            before = JobStatus(row["status"])
            if before in {JobStatus.CANCELING, JobStatus.CANCELED}:
                return
            if before in TERMINAL:
                raise ConflictError(f"job {job_id} is {before} and cannot be canceled")
            self._update(connection, job_id, {"cancel_requested_at": func.now()})
            after = JobStatus.CANCELED if before is JobStatus.PENDING else JobStatus.CANCELING
            self._step(connection, job_id, before, after, None)

    def is_cancel_requested(self, job_id: str) -> bool:
        """Return whether somebody asked the job to stop.

        Raises:
            MissingError: there is no such job.
        """
        return self._asked(job_id)[0]

    def is_pause_requested(self, job_id: str) -> bool:
        """Return whether somebody asked the job to rest.

        Raises:
            MissingError: there is no such job.
        """
        return self._asked(job_id)[1]

    def may_continue(self, job_id: str) -> bool:
        """Return whether nobody asked the job to stop or to rest.

        Raises:
            MissingError: there is no such job.
        """
        return not any(self._asked(job_id))

    def _asked(self, job_id: str) -> tuple[bool, bool]:
        """Whether it shall stop, and whether it shall rest."""
        query = select(JOBS.c.cancel_requested_at, JOBS.c.paused_at).where(JOBS.c.id == job_id)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        return row[0] is not None, row[1] is not None

    def _step(
        self,
        connection: Connection,
        job_id: str,
        before: JobStatus,
        after: JobStatus,
        error: str | None,
    ) -> None:
        """Take one legal step: times, then the event that tells of it."""
        values: dict[str, Any] = {"status": after.value}
        if after is JobStatus.RUNNING:
            values |= {
                "started_at": func.coalesce(JOBS.c.started_at, func.now()),
                "running_since": func.now(),
                "running_from_ratio": JOBS.c.progress_ratio,
                "completed_at": None,
                "error": None,
            }
        elif after in TERMINAL and before not in TERMINAL:
            values |= {"completed_at": func.now(), "error": error, "progress_at": func.now()}
            if after in DONE:
                values["progress_ratio"] = 1.0
        self._update(connection, job_id, values)
        view = job_view(self._job(connection, job_id))
        self._append(connection, job_id, event_kind_of(before, after), view)

    def _ask_again(self, connection: Connection, row: RowMapping) -> None:
        """Begin the next attempt at a job that failed or was canceled; open jobs stay as they are.

        Raises:
            ConflictError: the job is done.
        """
        status = JobStatus(row["status"])
        if status not in TERMINAL:
            return
        if status not in REVIVABLE:
            raise ConflictError(f"job {row['id']} is {status}; there is nothing left to run")
        if not self._is_closed(connection, row):
            return
        again = {**NEXT_ATTEMPT, "attempt": row["attempt"] + 1}
        self._update(connection, row["id"], again)

    def _refuse_closed(self, connection: Connection, row: RowMapping) -> None:
        """Refuse to run a canceled job unless somebody asked for it again."""
        if self._is_closed(connection, row):
            raise ConflictError(f"job {row['id']} was canceled; ask for it again before it may run")

    @staticmethod
    def _is_closed(connection: Connection, row: RowMapping) -> bool:
        """Return whether the job's attempt has its terminal event."""
        found = exists().where(
            EVENTS.c.job_id == row["id"],
            EVENTS.c.attempt == row["attempt"],
            EVENTS.c.kind == EventKind.COMPLETE.value,
        )
        return bool(connection.execute(select(found)).scalar_one())

    @staticmethod
    def _launch(connection: Connection, job: Job, deployment: str | None) -> None:
        connection.execute(LAUNCH, launch_parameters(job.id, deployment or deployment_of(job.kind)))

    @staticmethod
    def _update(connection: Connection, job_id: str, values: dict[str, Any]) -> None:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(values))

    @staticmethod
    def _job(connection: Connection, job_id: str) -> Job:
        row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        return job_from(row)

    @staticmethod
    def _locked(connection: Connection, job_id: str) -> RowMapping:
        """Return a job's row, locked until the transaction ends."""
        query = select(JOBS).where(JOBS.c.id == job_id).with_for_update(key_share=True)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no job {job_id}")
        return row
