"""Leases: one worker holds a job, and a number fences off those who held it before."""

from typing import Any

from sqlalchemy import case, func, or_, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from models.domain.errors import BusyError, ConflictError, MissingError
from models.domain.jobs import Job, JobStatus
from models.tables.base import table_of
from models.tables.jobs import OrganizationJobRow
from models.tables.mapping import job_from
from tasks.ledger.database import Database

JOBS = table_of(OrganizationJobRow)

OPEN = (JobStatus.RUNNING.value, JobStatus.CANCELING.value)


def _in(ttl_s: float) -> ColumnElement[Any]:
    """The server's clock, `ttl_s` ahead: workers' clocks never count."""
    return func.clock_timestamp() + text("make_interval(secs => :ttl_s)").bindparams(ttl_s=ttl_s)


class Leases(Database):
    """The part of the ledger that knows which worker holds a job."""

    def acquire_lease(self, job_id: str, owner: str, ttl_s: float) -> int:
        """Take a job and return the fencing epoch.

        A live lease of the same owner is renewed and keeps its epoch; in every other case the
        epoch rises, and writes with older ones are refused from then on.

        Args:
            job_id: the job.
            owner: a name that no other process ever has.
            ttl_s: life of the lease in seconds, by the server's clock.

        Raises:
            MissingError: there is no such job.
            BusyError: another owner's lease is live.
        """
        held = JOBS.c.lease_owner.is_not(None) & (JOBS.c.lease_expires_at > func.clock_timestamp())
        ours = JOBS.c.lease_owner == owner
        change = (
            update(JOBS)
            .where(JOBS.c.id == job_id, or_(~held, ours, JOBS.c.lease_owner.is_(None)))
            .values(
                lease_owner=owner,
                lease_epoch=JOBS.c.lease_epoch + case((held & ours, 0), else_=1),
                lease_expires_at=_in(ttl_s),
            )
            .returning(JOBS.c.lease_epoch)
        )
        with self._transaction() as connection:
            epoch = connection.execute(change).scalar_one_or_none()
            if epoch is not None:
                return int(epoch)
            query = select(JOBS.c.lease_owner).where(JOBS.c.id == job_id)
            found = connection.execute(query).one_or_none()
        if found is None:
            raise MissingError(f"there is no job {job_id}")
        raise BusyError(f"job {job_id} is held by {found[0]}")

    def renew_lease(self, job_id: str, owner: str, epoch: int, ttl_s: float) -> None:
        """Hold a job for another `ttl_s` seconds, also when the lease ran out but nobody took it.

        Raises:
            ConflictError: another worker took it.
        """
        change = (
            update(JOBS)
            .where(self._is_held(job_id, owner, epoch))
            .values(lease_expires_at=_in(ttl_s))
        )
        with self._transaction() as connection:
            if connection.execute(change).rowcount == 0:
                raise ConflictError(f"job {job_id} is held by another worker now")

    def release_lease(self, job_id: str, owner: str, epoch: int) -> None:
        """Give a job back; nothing happens when another worker took it.

        A job that is still running is then for the next worker to resume.
        """
        change = (
            update(JOBS)
            .where(self._is_held(job_id, owner, epoch))
            .values(lease_owner=None, lease_expires_at=func.clock_timestamp())
        )
        with self._transaction() as connection:
            connection.execute(change)

    def expired_jobs(self) -> list[Job]:
        """Return jobs whose worker is gone: running or canceling, and nobody's lease is live."""
        query = (
            select(JOBS)
            .where(
                JOBS.c.status.in_(OPEN),
                or_(
                    JOBS.c.lease_expires_at.is_(None),
                    JOBS.c.lease_expires_at < func.clock_timestamp(),
                ),
            )
            .order_by(JOBS.c.created_at)
        )
        with self._transaction() as connection:
            return [job_from(row) for row in connection.execute(query).mappings()]

    @staticmethod
    def _is_held(job_id: str, owner: str, epoch: int) -> ColumnElement[bool]:
        return (JOBS.c.id == job_id) & (JOBS.c.lease_owner == owner) & (JOBS.c.lease_epoch == epoch)
