"""Freezing a plan: its moves as an immutable part, its identity, its row in Postgres."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.jobs import Job
from models.domain.listings import COMPARED_FILES, listing_digest
from models.domain.plans import (
    SAMPLE_OPERATIONS,
    WRITING,
    Action,
    Plan,
    PlanSample,
    PlanTotals,
)
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.plan.core import plan_hash
from warehouse.store.parts import Lake
from warehouse.store.standing import find_listing

compute: Any = pc  # the stubs know too few of its overloads

_PLANS = uuid.UUID("8f2b4b52-6f0e-4f0b-9c0e-1f6f4d1d7a10")
"""Namespace of plan ids: one job and one plan hash give one id, however often it is planned."""


_SHOWN = frozenset({*WRITING, Action.ASSIGN})
"""Actions that a sample tells of: what stays is counted, not shown."""


def sample_of(moves: pa.Table) -> tuple[PlanSample, ...]:
    """Return the first operations of a plan, as its preview shows them."""
    columns = ["action", "source_key", "destination_key", "reason"]
    is_shown = compute.is_in(moves.column("action"), value_set=pa.array(sorted(_SHOWN)))
    rows = moves.select(columns).filter(is_shown).slice(0, SAMPLE_OPERATIONS).to_pylist()
    return tuple(
        PlanSample(
            action=row["action"],
            source=row["source_key"],
            destination=row["destination_key"],
            reason=row["reason"],
        )
        for row in rows
    )


def _listing_of(lake: Lake, job: Job) -> str | None:
    """Return the digest of the listing that a job's plan is made from; None of a long one."""
    found = find_listing(lake, job.id, job.source_root_id)
    if found is None or found.manifest.rows > COMPARED_FILES:
        return None
    names = ("key", "size_bytes", "modified_ns", "version")
    table = lake.read(found.manifest, columns=names)
    columns = [table.column(name).to_pylist() for name in names]
    return listing_digest(zip(*columns, strict=True))


def freeze_plan(
    job: Job,
    moves: pa.Table,
    totals: PlanTotals,
    *,
    lake: Lake,
    settings: Settings,
    listing: str | None = None,
) -> str:
    """Write down what shall happen, and return the plan's id; repeated, it is the same plan.

    Args:
        job: whose plan it is.
        moves: (m,) rows of `Move`, in the order of application.
        totals: their sums, as a preview shows them.
        lake: where the moves are kept.
        settings: which Postgres keeps the plan.
        listing: digest of what it was made from; that of the job's listing unless said.
    """
    listing = listing or _listing_of(lake, job)
    ref = lake.write_part(moves, uri=f"runs/{job.id}/plan/moves.parquet", table_name="moves")
    digest = plan_hash(ref.sha256, job.source_url, job.destination_url, job.options)
    plan = Plan(
        id=str(uuid.uuid5(_PLANS, f"{job.id}/{digest}")),
        job_id=job.id,
        source_url=job.source_url,
        destination_url=job.destination_url,
        options=job.options,
        totals=totals,
        moves=ref,
        plan_hash=digest,
        created_at=datetime.now(UTC),
        sample=sample_of(moves),
        listing=listing,
    )
    with open_ledger(settings) as ledger:
        ledger.save_plan(plan)
    return plan.id
