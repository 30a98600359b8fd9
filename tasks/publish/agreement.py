"""Whether Postgres and the warehouse say the same of roots and jobs."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.operations import OperationState
from models.domain.storage_roots import StorageRoot
from models.domain.warehouse_daily import Day
from models.domain.warehouse_rows import RunStatus
from warehouse.connect import connect
from warehouse.quality.checkup import Finding, Grade
from warehouse.schemas.tables import PUBLISHED_RUNS
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake

RECENT_JOBS = 500
"""Jobs whose journal is held against the warehouse: one count in Postgres each."""

PUBLISHED_BY = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.UNDONE})
LOOKING = frozenset({JobKind.VERIFY, JobKind.PURGE})
"""Jobs in these states have published their run, unless they are of kinds that publish none."""

ALL_JOBS = 10_000_000
"""More jobs than a ledger has."""

DAYS_BEFORE = 7
"""Days that may have been recorded before the first job (`CATCH_UP_DAYS` of `daily`)."""

BY_ROOT = """
SELECT root_id, count(*) AS files, sum(size_bytes) AS bytes FROM files GROUP BY root_id"""

WASTED = """
SELECT root_id, count(*) AS duplicates, sum(wasted_bytes) AS wasted
FROM duplicates WHERE truth_class = 'full_hash' AND NOT is_keeper GROUP BY root_id"""

BY_STATE = "SELECT run_id, state, count(*) FROM fact_operation GROUP BY run_id, state"


class AgreementLedger(Protocol):
    """What the comparison needs of the ledger."""

    def roots(self) -> list[StorageRoot]:
        """Return all roots."""
        ...

    def catalog_counts(self, root_id: str) -> dict[str, int]:
        """Return `files`, `bytes`, `duplicates` and `space_wasted_bytes` of a root."""
        ...

    def jobs(self, limit: int) -> list[Job]:
        """Return the newest jobs."""
        ...

    def operation_counts(self, job_id: str) -> dict[OperationState, int]:
        """Return how many operations stand in each state."""
        ...


def disagreements(lake: Lake, ledger: AgreementLedger) -> Iterator[Finding]:
    """Yield where Postgres and the warehouse differ: files, bytes, duplicates, journals.

    A job that is being published meanwhile may show as a difference; look again.

    Args:
        lake: where the warehouse is.
        ledger: what Postgres knows.
    """
    with connect(lake) as connection:
        files = {row[0]: row[1:] for row in connection.execute(BY_ROOT).fetchall()}
        wasted = {row[0]: row[1:] for row in connection.execute(WASTED).fetchall()}
        states: dict[str, dict[str, int]] = {}
        for run_id, state, count in connection.execute(BY_STATE).fetchall():
            states.setdefault(run_id, {})[state] = count
        query = "SELECT run_id, status FROM published_runs"
        runs: dict[str, str] = dict(connection.execute(query).fetchall())
    for root in ledger.roots():
        counts = ledger.catalog_counts(root.id)
        names = ("files", "bytes", "duplicates", "space_wasted_bytes")
        there = (*files.get(root.id, (0, 0)), *wasted.get(root.id, (0, 0)))
        for name, value in zip(names, map(int, there), strict=True):
            if counts[name] != value:
                what = f"{name}: {counts[name]} in Postgres, {value} in the warehouse"
                yield Finding(grade=Grade.PROBLEM, where=f"root {root.id}", what=what)
    for job in ledger.jobs(RECENT_JOBS):
        yield from _of_job(job, ledger, runs.get(job.id), states.get(job.id, {}))


def _of_job(
    job: Job, ledger: AgreementLedger, status: str | None, states: dict[str, int]
) -> Iterator[Finding]:
    where = f"job {job.id}"
    if status is None:
        if job.status in PUBLISHED_BY and job.kind not in LOOKING:
            yield Finding(grade=Grade.NOTE, where=where, what="it ended and published nothing")
        return
    if status != RunStatus.PUBLISHED:
        return  # told as a quarantine
    journal = {str(state): count for state, count in ledger.operation_counts(job.id).items()}
    if journal != states:
        what = f"operations: {journal} in the journal, {states} in the warehouse"
        yield Finding(grade=Grade.PROBLEM, where=where, what=what)


def known_runs(ledger: AgreementLedger, lake: Lake, *, now: datetime) -> set[str]:
    """Return the ids of all runs there may be.

    Those of every job, of every day since the first, and what the warehouse tells of, where it can.
    """
    jobs = ledger.jobs(ALL_JOBS)
    found = {job.id for job in jobs}
    oldest = min((job.created_at for job in jobs if job.created_at), default=now)
    day = Day.named(f"{oldest.astimezone(UTC) - timedelta(days=DAYS_BEFORE):%Y-%m-%d}")
    while day.end <= now:
        found.add(day.run_id)
        day = Day(start=day.end)
    markers = Warehouse(lake).dataset(PUBLISHED_RUNS)
    if markers is not None:
        with suppress(OSError, ValueError):
            found |= set(markers.to_table(columns=["run_id"])["run_id"].to_pylist())
    return found
