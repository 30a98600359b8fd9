"""Uploaded: read what was uploaded, and say what it is."""

from typing import Any

from prefect import flow

from flows.batches import threads
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import index_root
from flows.understanding import said_of
from tasks.lifecycle.task import cancel_from_prefect, held_job, report_job, run_name
from tasks.publish.task import publish_catalog, publish_run
from tasks.search.task import index_words


@flow(
    name="uploaded",
    flow_run_name=run_name("uploaded"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def uploaded(job_id: str) -> dict[str, Any]:
    """Read an account's new uploads: type, facts, thumbnail, category, duplicates, words.

    All uploads that are there when it begins are taken along, so those that come together share
    a run; what was read before is not read again.

    Args:
        job_id: a pending job of kind `uploaded`.

    Returns:
        Counts of files, changes, duplicates and published rows, and of files found by search.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        indexed = index_root(run, root_id)
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts: dict[str, Any] = {**publish_catalog(job_id, root_id, *refs)}
        facts["files_indexed"] = index_words(root_id)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        facts |= publish_run(job_id, root_id, *refs)
        facts["ai"] = said_of(run.job)
        report_job(job_id, facts)
    return facts
