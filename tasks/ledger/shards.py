"""Shards: shares of a big job, each finished by exactly one holder."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping, any_, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, UUID, insert
from sqlalchemy.sql.elements import ColumnElement

from models.domain.errors import BusyError, ConflictError, MissingError
from models.domain.sweeps import Shard
from models.domain.table_refs import TableRef
from models.tables.base import table_of
from models.tables.sweeps import JobShardRow
from tasks.ledger.database import Database

SHARDS = table_of(JobShardRow)


class Shards(Database):
    """The part of the ledger that knows who reads which share of a job."""

    def plan_shards(self, job_id: str, ranges: Sequence[tuple[int, int]]) -> list[Shard]:
        """Store the shares of a job and return them; a job that has shares keeps those.

        Args:
            job_id: the job.
            ranges: [first, last) batches of each, in order.

        Raises:
            ConflictError: there is no such job.
        """
        rows = [
            {"job_id": job_id, "number": number, "first_batch": first, "last_batch": last}
            for number, (first, last) in enumerate(ranges)
        ]
        with self._transaction() as connection:
            has_some = select(SHARDS.c.number).where(SHARDS.c.job_id == job_id).limit(1)
            if rows and connection.execute(has_some).one_or_none() is None:
                connection.execute(insert(SHARDS).values(rows).on_conflict_do_nothing())
        return self.shards([job_id])

    def shards(self, job_ids: Sequence[str]) -> list[Shard]:
        """Return the shares of jobs, by job and number; none of a job that was not shared out."""
        is_open = SHARDS.c.lease_owner.is_not(None) & SHARDS.c.done_at.is_(None)
        is_live = SHARDS.c.lease_expires_at > func.clock_timestamp()
        query = (
            select(
                SHARDS,
                (is_open & is_live).label("is_held"),
                (is_open & ~is_live).label("is_lost"),
            )
            .where(SHARDS.c.job_id == any_of(job_ids))
            .order_by(SHARDS.c.job_id, SHARDS.c.number)
        )
        with self._transaction() as connection:
            return [_shard(row) for row in connection.execute(query).mappings()]

    def acquire_shard(self, job_id: str, number: int, owner: str, ttl_s: float) -> int:
        """Take a share and return the fencing epoch.

        Raises:
            MissingError: there is no such share.
            BusyError: another owner's lease is live.
            ConflictError: it is done.
        """
        held = SHARDS.c.lease_owner.is_not(None) & (
            SHARDS.c.lease_expires_at > func.clock_timestamp()
        )
        ours = SHARDS.c.lease_owner == owner
        change = (
            update(SHARDS)
            .where(_is(job_id, number), SHARDS.c.done_at.is_(None), or_(~held, ours))
            .values(
                lease_owner=owner,
                lease_epoch=SHARDS.c.lease_epoch + case((held & ours, 0), else_=1),
                lease_expires_at=_in(ttl_s),
            )
            .returning(SHARDS.c.lease_epoch)
        )
        with self._transaction() as connection:
            epoch = connection.execute(change).scalar_one_or_none()
            if epoch is not None:
                return int(epoch)
            query = select(SHARDS.c.done_at, SHARDS.c.lease_owner).where(_is(job_id, number))
            found = connection.execute(query).one_or_none()
        if found is None:
            raise MissingError(f"job {job_id} has no shard {number}")
        if found.done_at is not None:
            raise ConflictError(f"shard {number} of job {job_id} is done")
        raise BusyError(f"shard {number} of job {job_id} is held by {found.lease_owner}")

    def renew_shard(self, job_id: str, number: int, owner: str, epoch: int, ttl_s: float) -> None:
        """Hold a share for another `ttl_s` seconds.

        Raises:
            ConflictError: another worker took it.
        """
        change = (
            update(SHARDS)
            .where(_is_held(job_id, number, owner, epoch))
            .values(lease_expires_at=_in(ttl_s))
        )
        with self._transaction() as connection:
            if connection.execute(change).rowcount == 0:
                raise ConflictError(f"shard {number} of job {job_id} is held by another worker now")

    def release_shard(self, job_id: str, number: int, owner: str, epoch: int) -> None:
        """Give a share back; nothing happens when another worker took it."""
        change = (
            update(SHARDS)
            .where(_is_held(job_id, number, owner, epoch))
            .values(lease_expires_at=func.clock_timestamp())
        )
        with self._transaction() as connection:
            connection.execute(change)

    def finish_shard(
        self, job_id: str, number: int, parts: Sequence[TableRef], *, epoch: int
    ) -> None:
        """Note what a share gave; its newest holder may, once.

        Raises:
            ConflictError: another worker took it, or it is done.
        """
        change = (
            update(SHARDS)
            .where(_is(job_id, number), SHARDS.c.lease_epoch == epoch, SHARDS.c.done_at.is_(None))
            .values(done_at=func.clock_timestamp(), parts=[asdict(part) for part in parts])
        )
        with self._transaction() as connection:
            if connection.execute(change).rowcount == 0:
                raise ConflictError(f"shard {number} of job {job_id} is another worker's, or done")


def any_of(ids: Sequence[str]) -> Any:
    """Any of some ids, as one parameter: a statement has room for 65,535 of them."""
    return any_(literal(list(ids), ARRAY(UUID(as_uuid=False))))


def _in(ttl_s: float) -> ColumnElement[object]:
    """The server's clock, `ttl_s` ahead."""
    return func.clock_timestamp() + text("make_interval(secs => :ttl_s)").bindparams(ttl_s=ttl_s)


def _is(job_id: str, number: int) -> ColumnElement[bool]:
    return (SHARDS.c.job_id == job_id) & (SHARDS.c.number == number)


def _is_held(job_id: str, number: int, owner: str, epoch: int) -> ColumnElement[bool]:
    ours = (SHARDS.c.lease_owner == owner) & (SHARDS.c.lease_epoch == epoch)
    return _is(job_id, number) & ours & SHARDS.c.done_at.is_(None)


def _shard(row: RowMapping) -> Shard:
    parts = row["parts"]
    return Shard(
        job_id=row["job_id"],
        number=row["number"],
        first=row["first_batch"],
        last=row["last_batch"],
        epoch=row["lease_epoch"],
        is_held=bool(row["is_held"]),
        is_lost=bool(row["is_lost"]),
        parts=None if parts is None else tuple(TableRef(**part) for part in parts),
    )
