"""Prefect edge of planning a removal of duplicates."""

import json

from prefect import task

from models.domain.errors import MissingError
from models.domain.plans import Move
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.plan.freezing import freeze_plan
from tasks.plan.merge_rows import merge_totals
from tasks.plan.removal import removal_moves
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import Lake, open_lake


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
    totals = merge_totals(to_rows(moves, Move), problems=problems.rows)
    return freeze_plan(job, moves, totals, lake=lake, settings=settings)


def _thresholds(lake: Lake, near: TableRef) -> dict[str, float]:
    """Return the smallest similarity that was looked for, by media (`tasks.dedupe.near_task`)."""
    try:
        return json.loads(lake.read_blob(f"{near.uri}.thresholds.json"))
    except MissingError:
        return {}
