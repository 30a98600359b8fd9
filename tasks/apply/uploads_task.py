"""Prefect edges of applying a plan over uploads: rows change, no byte moves (DESIGN D1)."""

from typing import Any

from prefect import task

from models.settings import Settings
from tasks.apply import finishing
from tasks.apply.planned import operations_from
from tasks.apply.ranges import walk
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def begin_assigning(job_id: str) -> int:
    """Journal all operations of the job's approved plan, and return how many there are.

    Raises:
        ForbiddenError: nobody approved the plan.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        if journaled := sum(ledger.operation_counts(job_id).values()):
            return journaled
        approved = ledger.approved_plan(job_id)
        lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
        operations = operations_from(approved, lake.read(approved.plan.moves))
        ledger.begin(job_id, operations, [])
        return len(operations)


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def assign_places(job_id: str, epoch: int) -> dict[str, Any]:
    """Show every upload where the job's journal says, in one transaction; repeatable.

    Returns:
        Operations by state, `files_moved`, `bytes_moved`, `errors_count`.

    Raises:
        ConflictError: another worker holds the job.
    """
    with open_ledger(Settings()) as ledger:
        job = ledger.job(job_id)
        ledger.assign_uploads(
            job_id,
            epoch=epoch,
            root_id=job.source_root_id,
            folder=job.options.below,
            target_job_id=job.target_job_id,
        )
        facts = finishing.facts(walk(ledger, job_id))
        counters = finishing.counters(facts)
        ledger.set_progress(job_id, phase="applied", progress_ratio=0.0, epoch=epoch, **counters)
        return facts
