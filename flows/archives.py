"""Archives of one root: index it, look into what is new, say what is unpacked elsewhere already."""

from typing import Any

from prefect import flow

from flows.batches import run_window, threads
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import FINGERPRINTED, Indexed, index_root, width
from models.domain.table_refs import TableRef
from tasks.dedupe.archives_task import compare_archives
from tasks.fingerprint.archive_task import find_archives, list_archive_batch
from tasks.lifecycle.task import (
    JobRun,
    cancel_from_prefect,
    held_job,
    recall_index,
    remember_index,
    report_job,
    run_name,
)
from tasks.publish.task import publish_catalog, publish_run

_LISTING = (FINGERPRINTED + 0.05, 0.9)
"""Share of the job that looking into archives takes, for progress."""


def archives_of(run: JobRun, root_id: str, indexed: Indexed) -> dict[str, TableRef]:
    """Look into the archives of an indexed root and return the tables of `compare_archives`."""
    job_id = run.job.id
    archives = find_archives(job_id, indexed.fingerprints)
    total = archives.contents.rows

    def at_boundary(done: int) -> None:
        looked = archives.ranges[done - 1][1] if done else 0
        run.progress("looking into archives", looked, total, span=_LISTING)
        run.safe_point()

    parts = run_window(
        list_archive_batch,
        (
            {
                "job_id": job_id,
                "root_id": root_id,
                "batch": batch,
                "contents": archives.contents,
                "first": first,
                "last": last,
            }
            for batch, (first, last) in enumerate(archives.ranges)
        ),
        width=width(),
        at_boundary=at_boundary,
    )
    run.progress("comparing", 0, 1, span=(_LISTING[1], APPLIED))
    return compare_archives(job_id, indexed.fingerprints, archives.contents, parts)


@flow(
    name="archives",
    flow_run_name=run_name("archives"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def look_into_archives(job_id: str) -> dict[str, Any]:
    """Index one root as `reindex` does, and say which archives are unpacked. Removes nothing.

    Args:
        job_id: a pending job of kind `reindex`.

    Returns:
        Counts of files, bytes, changes, duplicates and published rows, of archives and members.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        indexed = index_root(run, root_id)
        found = archives_of(run, root_id, indexed)
        remember_index(job_id, {**recall_index(job_id), **found})
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts = publish_catalog(job_id, root_id, *refs)
        facts |= publish_run(job_id, root_id, *refs)
        facts |= {name: ref.rows for name, ref in found.items()}
        report_job(job_id, facts)
    return facts
