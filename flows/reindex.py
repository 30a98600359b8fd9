"""Reindex: bring the catalog and the warehouse up to date with every root. Moves nothing."""

from typing import Any

from prefect import flow

from flows.batches import threads
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import index_root
from flows.roots import each_root
from models.domain.jobs import JobKind
from tasks.categorize.understand_task import understanding_of
from tasks.lifecycle.task import cancel_from_prefect, held_job, report_job, run_name
from tasks.publish.task import publish_catalog, publish_run


@flow(
    name="reindex-root",
    flow_run_name=run_name("reindex"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def reindex_root(job_id: str) -> dict[str, Any]:
    """Index one root; unchanged files are listed and not opened.

    Returns:
        Counts of files, bytes, changes, duplicates and published rows.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        indexed = index_root(run, root_id)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts: dict[str, Any] = {**publish_catalog(job_id, root_id, *refs)}
        facts |= publish_run(job_id, root_id, *refs)
        facts["ai"] = understanding_of(run.job)
        report_job(job_id, facts)
    return facts


@flow(name="reindex", on_cancellation=[cancel_from_prefect])
@stops_when_canceled
def reindex(root_id: str | None = None, job_id: str | None = None) -> dict[str, Any]:
    """Index one root, or all of them in turn; one that is away is reported and changes nothing.

    Args:
        root_id: the only root to visit.
        job_id: a job that exists already, submitted or handed over by a worker that died.

    Returns:
        The counts of each root, by its id; `error` where one could not be indexed.
    """
    if job_id is not None:
        return reindex_root(job_id)
    return each_root(reindex_root, JobKind.REINDEX, root_id)
