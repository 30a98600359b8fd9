"""Prefect edge of planning a removal of duplicates."""

import json
import uuid
from datetime import UTC, datetime

from prefect import task

from models.domain.errors import MissingError
from models.domain.plans import Move, Plan
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.plan.core import plan_hash
from tasks.plan.merge_rows import merge_totals
from tasks.plan.removal import removal_moves
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import Lake, open_lake

_PLANS = uuid.UUID("c1b7c9a4-20a1-4d53-8a0e-9a2f0d6c3b11")
"""Namespace of plan ids: one job and one plan hash give one id, however often it is planned."""


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def make_removal_plan(
    job_id: str,
    fingerprints: TableRef,
    duplicates: TableRef,
    problems: TableRef,
    near: TableRef | None = None,
) -> str:
    """Plan which duplicates go to the trash; planned again, it is the same plan.

    Args:
        job_id: a job whose options are a removal.
        fingerprints: rows of `Fingerprint` of its root.
        duplicates: rows of `DuplicateRow`: groups of equal bytes.
        problems: rows of `ListingProblem` of its root.
        near: rows of `DuplicateRow`: groups of lookalikes, where they were looked for.

    Returns:
        The plan's id.

    Raises:
        MissingError: no group begins as one that was named.
        InvalidError: several do.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        decisions = ledger.decisions_of(job.account_id)
    moves = removal_moves(
        lake.read(fingerprints),
        lake.read(duplicates),
        None if near is None else lake.read(near),
        options=job.options,
        decisions=decisions,
        thresholds={} if near is None else _thresholds(lake, near),
    )
    ref = lake.write_part(moves, uri=f"runs/{job_id}/plan/moves.parquet", table_name="moves")
    digest = plan_hash(ref.sha256, job.source_url, job.destination_url, job.options)
    plan = Plan(
        id=str(uuid.uuid5(_PLANS, f"{job_id}/{digest}")),
        job_id=job_id,
        source_url=job.source_url,
        destination_url=job.destination_url,
        options=job.options,
        totals=merge_totals(to_rows(moves, Move), problems=problems.rows),
        moves=ref,
        plan_hash=digest,
        created_at=datetime.now(UTC),
    )
    with open_ledger(settings) as ledger:
        ledger.save_plan(plan)
    return plan.id


def _thresholds(lake: Lake, near: TableRef) -> dict[str, float]:
    """Return the smallest similarity that was looked for, by media (`tasks.dedupe.near_task`)."""
    try:
        return json.loads(lake.read_blob(f"{near.uri}.thresholds.json"))
    except MissingError:
        return {}
