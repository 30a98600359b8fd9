"""Sweeps: visits to every root, begun and finished once."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from models.domain.jobs import JobKind, JobStatus
from models.domain.sweeps import STALE_AFTER, Bundle, JobStanding, KnownRoot, Sweep, bundled
from models.tables.base import table_of
from models.tables.jobs import OrganizationJobRow
from models.tables.roots import StorageRootRow
from models.tables.sweeps import SweepRow
from tasks.ledger.database import Database
from tasks.ledger.shards import any_of

SWEEPS = table_of(SweepRow)
JOBS = table_of(OrganizationJobRow)
ROOTS = table_of(StorageRootRow)


class Sweeps(Database):
    """The part of the ledger that knows which visit to all roots is under way."""

    def open_sweep(self, kind: JobKind, *, bundle_files: int) -> Sweep:
        """Return the sweep that is under way, or begin one over all roots there are.

        Two that begin at once get one sweep. One that is older than `STALE_AFTER` is given up.

        Args:
            kind: of its jobs.
            bundle_files: files of the roots that one flow run takes, at most.
        """
        with self._transaction() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"sweep {kind}"))))
            found = self._open(connection, kind)
            if found is not None and not found["is_stale"]:
                return _sweep(found, is_new=False)
            if found is not None:
                self._finish(connection, found["id"])
            bundles = bundled(self._known_roots(connection), files=bundle_files)
            values = {"kind": kind.value, "bundles": [asdict(bundle) for bundle in bundles]}
            row = insert(SWEEPS).values(values).returning(SWEEPS)
            return _sweep(connection.execute(row).mappings().one(), is_new=True)

    def current_sweep(self, kind: JobKind) -> Sweep | None:
        """Return the sweep that is under way, or None."""
        with self._transaction() as connection:
            found = self._open(connection, kind)
        return None if found is None else _sweep(found, is_new=False)

    def finish_sweep(self, sweep_id: str) -> None:
        """Note that every root was visited; nothing happens the second time."""
        with self._transaction() as connection:
            self._finish(connection, sweep_id)

    def standings(self, job_ids: Sequence[str]) -> dict[str, JobStanding]:
        """Return where jobs stand, by id; those that were never made are missing."""
        if not job_ids:
            return {}
        live = JOBS.c.lease_owner.is_not(None) & (JOBS.c.lease_expires_at > func.clock_timestamp())
        query = select(
            JOBS.c.id,
            JOBS.c.status,
            JOBS.c.lease_epoch,
            JOBS.c.files_total,
            live.label("is_held"),
            JOBS.c.paused_at.is_not(None).label("is_resting"),
        ).where(JOBS.c.id == any_of(job_ids))
        with self._transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return {
            row["id"]: JobStanding(
                job_id=row["id"],
                status=JobStatus(row["status"]),
                epoch=row["lease_epoch"],
                is_held=bool(row["is_held"]),
                is_resting=row["is_resting"] and not row["is_held"],
                files_total=row["files_total"],
            )
            for row in rows
        }

    @staticmethod
    def _open(connection: Connection, kind: JobKind) -> RowMapping | None:
        age = func.clock_timestamp() - SWEEPS.c.started_at
        query = select(SWEEPS, (age > STALE_AFTER).label("is_stale")).where(
            SWEEPS.c.kind == kind.value, SWEEPS.c.finished_at.is_(None)
        )
        return connection.execute(query).mappings().one_or_none()

    @staticmethod
    def _finish(connection: Connection, sweep_id: str) -> None:
        change = (
            update(SWEEPS)
            .where(SWEEPS.c.id == sweep_id, SWEEPS.c.finished_at.is_(None))
            .values(finished_at=func.clock_timestamp())
        )
        connection.execute(change)

    @staticmethod
    def _known_roots(connection: Connection) -> list[KnownRoot]:
        query = select(ROOTS.c.id, ROOTS.c.user_id, ROOTS.c.last_index).order_by(
            ROOTS.c.created_at, ROOTS.c.id
        )
        return [
            KnownRoot(
                id=row.id,
                account_id=row.user_id,
                files=None if row.last_index is None else int(row.last_index["rows"]),
            )
            for row in connection.execute(query)
        ]


def _sweep(row: RowMapping, *, is_new: bool) -> Sweep:
    documents: list[dict[str, Any]] = row["bundles"]
    bundles = tuple(
        Bundle(account_id=each["account_id"], root_ids=tuple(each["root_ids"]))
        for each in documents
    )
    return Sweep(id=row["id"], bundles=bundles, is_new=is_new)
