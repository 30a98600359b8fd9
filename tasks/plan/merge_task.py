"""Prefect edge of planning a union merge."""

import uuid
from datetime import UTC, datetime

from prefect import task

from models.domain.plans import Move, Plan
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.plan.core import plan_hash
from tasks.plan.destination import target_of
from tasks.plan.merge import merge_moves
from tasks.plan.merge_rows import merge_totals
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.files import texts
from warehouse.store.parts import open_lake

_PLANS = uuid.UUID("5d0fe7c1-5f6f-4f0c-8a43-9d1a3f2b7c55")
"""Namespace of plan ids: one job and one plan hash give one id, however often it is planned."""


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def make_merge_plan(job_id: str, fingerprints: TableRef, problems: TableRef) -> str:
    """Plan the union of the two folders that the job names; planned again, it is the same plan.

    Args:
        job_id: a job whose options are a merge.
        fingerprints: rows of `Fingerprint` of its root.
        problems: rows of `ListingProblem` of its root.

    Returns:
        The plan's id.

    Raises:
        InvalidError: the folders make no sense, or lie in a project.
        MissingError: one of them has no files.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
    with open_store(job.source_url, s3_endpoint_url=settings.s3_endpoint_url) as store:
        target = target_of(store)
    blocked = [key.rstrip("/") for key in texts(lake.read(problems), "key")]
    moves = merge_moves(
        lake.read(fingerprints), options=job.options, target=target, blocked=blocked
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
