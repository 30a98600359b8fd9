"""The steps of our flows, called as plain functions: what orchestration is held against."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from models.domain.jobs import JobStatus
from models.domain.table_refs import TableRef
from models.settings import Settings

Refs = tuple[TableRef, TableRef, TableRef]


def index(job_id: str, root_id: str) -> tuple[Refs, Any]:
    """List, read, categorize and group, the batches side by side as in the flow.

    Returns:
        Fingerprints, categories and duplicates; and what listing gave.
    """
    from flows.batches import width
    from tasks.categorize.task import categorize
    from tasks.dedupe.task import find_duplicates
    from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
    from tasks.lifecycle.task import batch_ranges, remember_index
    from tasks.manifest.task import list_manifest

    listed = list_manifest.fn(job_id, root_id)
    ranges = batch_ranges(listed.changed.rows, batch_rows=Settings().batch_files)

    def read(batch: int) -> TableRef:
        return fingerprint_batch.fn(job_id, root_id, batch, listed.changed, *ranges[batch])

    with ThreadPoolExecutor(width()) as threads:
        parts = list(threads.map(read, range(len(ranges))))
    fingerprints = (
        merge_fingerprints.fn(job_id, root_id, parts, listed.known) if parts else listed.known
    )
    categories = categorize.fn(job_id, fingerprints)
    duplicates = find_duplicates.fn(job_id, fingerprints, categories)
    refs = {"fingerprints": fingerprints, "categories": categories, "duplicates": duplicates}
    remember_index(job_id, refs)
    return (fingerprints, categories, duplicates), listed


def _publish(job_id: str, root_id: str, refs: Refs) -> None:
    from tasks.publish.staging import staged
    from tasks.publish.task import as_refs, open_both, publish_catalog, to_warehouse
    from warehouse.quality.expectations import judge
    from warehouse.store.publishing import rows_at_rest

    publish_catalog.fn(job_id, root_id, *refs)
    lake, ledger = open_both(Settings())
    found = staged(lake, ledger, job_id, root_id, as_refs(*refs))
    to_warehouse(
        lake, ledger, job_id, found, lambda run: judge(rows_at_rest(lake, run.run_id), run)
    )


def _waits(_run: object) -> JobStatus:
    """A proposed job waits for its approval."""
    return JobStatus.PENDING


def organize(job_id: str) -> None:
    """Do what the flows `propose` and `enact` do, without Prefect."""
    from flows.enact import BATCH_OPERATIONS
    from tasks.apply.task import apply_batch, begin_apply, finish_apply
    from tasks.ledger.ledger import open_ledger
    from tasks.lifecycle.core import run_job
    from tasks.lifecycle.task import approve_own_plan, batch_ranges, done_if_clean
    from tasks.plan.task import list_destination, make_plan

    settings = Settings()
    with open_ledger(settings) as ledger:
        with run_job(ledger, job_id, lease_s=settings.lease_s, on_done=_waits) as run:
            refs, listed = index(job_id, run.job.source_root_id)
            existing = list_destination.fn(job_id, listed.manifest)
            make_plan.fn(job_id, *refs, existing, listed.problems)
        approve_own_plan(job_id)
        with run_job(ledger, job_id, lease_s=settings.lease_s, on_done=done_if_clean) as run:
            total = begin_apply.fn(job_id)
            for first, last in batch_ranges(total, batch_rows=BATCH_OPERATIONS):
                apply_batch.fn(job_id, run.epoch, first, last - 1)
            finish_apply.fn(job_id)
            _publish(job_id, run.job.source_root_id, refs)


def reindex(job_id: str) -> None:
    """Do what the flow `reindex-root` does, without Prefect."""
    from tasks.ledger.ledger import open_ledger
    from tasks.lifecycle.core import run_job
    from tasks.lifecycle.task import done_if_clean

    settings = Settings()
    with (
        open_ledger(settings) as ledger,
        run_job(ledger, job_id, lease_s=settings.lease_s, on_done=done_if_clean) as run,
    ):
        refs, _ = index(job_id, run.job.source_root_id)
        _publish(job_id, run.job.source_root_id, refs)
