"""Freezing a plan: its moves as an immutable part, its identity, its row in Postgres."""

import uuid
from datetime import UTC, datetime

import pyarrow as pa

from models.domain.jobs import Job
from models.domain.plans import Plan, PlanTotals
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.plan.core import plan_hash
from warehouse.store.parts import Lake

_PLANS = uuid.UUID("8f2b4b52-6f0e-4f0b-9c0e-1f6f4d1d7a10")
"""Namespace of plan ids: one job and one plan hash give one id, however often it is planned."""


def freeze_plan(
    job: Job, moves: pa.Table, totals: PlanTotals, *, lake: Lake, settings: Settings
) -> str:
    """Write down what shall happen, and return the plan's id; repeated, it is the same plan.

    Args:
        job: whose plan it is.
        moves: (m,) rows of `Move`, in the order of application.
        totals: their sums, as a preview shows them.
        lake: where the moves are kept.
        settings: which Postgres keeps the plan.
    """
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
    )
    with open_ledger(settings) as ledger:
        ledger.save_plan(plan)
    return plan.id
