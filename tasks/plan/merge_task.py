"""Prefect edge of planning a union merge."""

from prefect import task

from models.domain.plans import Move
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.plan.destination import target_of
from tasks.plan.freezing import freeze_plan
from tasks.plan.merge import merge_moves
from tasks.plan.merge_rows import merge_totals
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.files import texts
from warehouse.store.parts import open_lake


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
    totals = merge_totals(to_rows(moves, Move), problems=problems.rows)
    return freeze_plan(job, moves, totals, lake=lake, settings=settings)
