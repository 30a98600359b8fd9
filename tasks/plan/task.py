"""Prefect edge of planning: what lies at the destination, and the plan itself."""

import os

import pyarrow as pa
from prefect import task

from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job
from models.domain.placing import namespace_of
from models.domain.storage_roots import RootKind
from models.domain.table_refs import TableRef
from models.domain.targets import Target
from models.settings import Settings
from storage.opening import open_store
from storage.store import Store
from tasks.ledger.ledger import open_ledger
from tasks.plan import core
from tasks.plan.destination import (
    hashed,
    list_existing,
    split_existing,
    target_of,
    with_known_contents,
)
from tasks.plan.freezing import freeze_plan
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.files import CATEGORY_COLUMNS, texts
from warehouse.store.parts import open_lake


def _threads(settings: Settings) -> int:
    return settings.work_threads or os.cpu_count() or 1


def _destination(job: Job, settings: Settings) -> Store:
    return open_store(job.destination_url, s3_endpoint_url=settings.s3_endpoint_url)


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_destination(job_id: str, manifest: TableRef) -> TableRef:
    """List where a job puts files, and read there what may equal something of the source.

    A destination that is the source, or lies in it, is known already and gives an empty table.

    Returns:
        Rows of `Fingerprint` (see `tasks.plan.destination.list_existing`), sorted by key.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        last = ledger.last_index(job.destination_root_id)
    existing = arrow_schema(Fingerprint).empty_table()
    namespace = namespace_of(job.source_url, job.destination_url)
    if not (namespace.is_same or namespace.below):
        store = _destination(job, settings)
        existing = with_known_contents(
            store,
            list_existing(store, but_below=namespace.prefix),
            lake.read(manifest),
            None if last is None else lake.read(last),
            job.options,
            threads=_threads(settings),
        )
    uri = f"runs/{job_id}/plan/existing.parquet"
    return lake.write_part(existing, uri=uri, table_name="existing")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def make_plan(  # noqa: PLR0917 - the tables a plan is made from, in the order they are made
    job_id: str,
    fingerprints: TableRef,
    categories: TableRef,
    duplicates: TableRef,
    existing: TableRef,
    problems: TableRef,
) -> str:
    """Plan every operation of a job and save the plan; planned again, it is the same plan.

    Args:
        job_id: the job.
        fingerprints: rows of `Fingerprint` of its source.
        categories: rows of `CategoryRow`.
        duplicates: rows of `DuplicateRow`.
        existing: from `list_destination`.
        problems: rows of `ListingProblem` of its source.

    Returns:
        The plan's id.

    Raises:
        InvalidError: the mode or template cannot be used.
        ConflictError: the policy is `fail` and a place is taken.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        is_managed = ledger.root(job.source_root_id).kind is RootKind.MANAGED
        listing = (
            ledger.uploads_digest(job.source_root_id, job.options.below) if is_managed else None
        )
    store = None if is_managed else _destination(job, settings)
    needed = core.columns_needed(job.options, job.source_url, job.destination_url)
    groups = lake.read(duplicates)
    there, blocked = split_existing(lake.read(existing))
    passed_over = namespace_of(job.source_url, job.destination_url).addresses(
        texts(lake.read(problems), "key")
    )
    moves = core.make_moves(
        lake.read(fingerprints, columns=needed),  # held by nobody else: it is half of the memory
        lake.read(categories, columns=("key", *CATEGORY_COLUMNS)),
        groups,
        there,
        options=job.options,
        source_url=job.source_url,
        destination_url=job.destination_url,
        target=Target() if store is None else target_of(store),
        blocked=(*blocked, *(key.rstrip("/") for key in passed_over)),
    )
    if store is None:
        moves = core.as_assignments(moves)
    else:
        moves = _with_displaced(moves, store, threads=_threads(settings))
    sizes = lake.read(fingerprints, columns=["size_bytes"])
    totals = core.totals_of(moves, sizes, groups, problems=problems.rows)
    return freeze_plan(job, moves, totals, lake=lake, settings=settings, listing=listing)


def _with_displaced(moves: pa.Table, store: Store, *, threads: int) -> pa.Table:
    """Read the files that give way: their content is a precondition like any other."""
    unknown = ((key, None) for key in core.displaced_unknown(moves))
    return core.with_contents(moves, hashed(store, unknown, threads=threads))
