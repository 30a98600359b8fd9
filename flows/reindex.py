"""Reindex: bring the catalog and the warehouse up to date with every root. Moves nothing.

Who is launched for all roots only leads: `reindex-roots` visits some of them, and a root with many
changed files is read by several `reindex-shard` before its job goes on. Each is a flow run of its
own on the work pool, and each can be killed: what leads, or what is launched again, goes on.
"""

from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.batches import batch_files, run_window, threads, width
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import fingerprint_calls, index_root
from flows.roots import each_root
from flows.understanding import said_of
from models.domain.jobs import JobKind, JobStatus
from models.settings import Settings
from tasks.fingerprint.task import fingerprint_batch
from tasks.lifecycle.sweep_task import cancel_sweep, held_shard, in_sweep, split, sweep_roots
from tasks.lifecycle.task import (
    batch_ranges,
    cancel_from_prefect,
    held_job,
    report_job,
    run_name,
)
from tasks.manifest.task import list_manifest
from tasks.publish.task import publish_catalog, publish_run


@flow(
    name="reindex-root",
    flow_run_name=run_name("reindex"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def reindex_root(job_id: str, *, may_share: bool = False) -> dict[str, Any]:
    """Index one root; unchanged files are listed and not opened.

    Args:
        job_id: a pending job of kind `reindex`.
        may_share: whether somebody waits who launches shards, should there be much to read.

    Returns:
        Counts of files, bytes, changes, duplicates and published rows; only `shards`, the number
        of those to be read first, where the job waits for them.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        if may_share and (shards := _shared(job_id, root_id)):
            run.outcome = JobStatus.PENDING
            return {"shards": shards}
        indexed = index_root(run, root_id)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts: dict[str, Any] = {**publish_catalog(job_id, root_id, *refs)}
        facts |= publish_run(job_id, root_id, *refs)
        facts["ai"] = said_of(run.job)
        report_job(job_id, facts)
    return facts


def _shared(job_id: str, root_id: str) -> int:
    """List a root, share it out when much is to be read, and return the shards left to read."""
    changed = list_manifest(job_id, root_id).changed.rows
    ranges = batch_ranges(changed, batch_rows=batch_files())
    return split(job_id, changed=changed, batches=len(ranges))


@flow(name="reindex-roots", on_cancellation=[cancel_from_prefect])
def reindex_roots(job_ids: list[str]) -> dict[str, str]:
    """Index some roots in turn; one that fails does not stop the next.

    Args:
        job_ids: pending jobs of kind `reindex`.

    Returns:
        The kind of state that each ended in, by job.
    """
    with in_sweep():
        return {
            job_id: reindex_root(job_id, may_share=True, return_state=True).type.value
            for job_id in job_ids
        }


@flow(name="reindex-shard", task_runner=threads())
@stops_when_canceled
def reindex_shard(job_id: str, shard: int) -> Any:
    """Read one share of a root's changed files, in the very batches that the whole would have.

    Args:
        job_id: a job that waits for its shards.
        shard: number of the share.

    Returns:
        Batches read; where somebody read them before, the run ends as `Skipped`.
    """
    with held_shard(job_id, shard) as run:
        if run is None:
            return Completed(name="Skipped", message="read before")
        root_id = run.job.source_root_id
        changed = list_manifest(job_id, root_id).changed
        calls = fingerprint_calls(job_id, root_id, changed)[run.shard.first : run.shard.last]
        parts = run_window(
            fingerprint_batch,
            calls,
            width=width(),
            at_boundary=lambda _done: run.safe_point(),
            is_heavy=True,
        )
        run.finish(parts)
    return len(calls)


@flow(name="reindex", on_cancellation=[cancel_from_prefect, cancel_sweep])
@stops_when_canceled
def reindex(root_id: str | None = None, job_id: str | None = None) -> dict[str, Any]:
    """Index one root, or all of them; one that is away is reported and changes nothing.

    All of them are visited in flow runs side by side, accounts taking turns; a visit that was
    killed is gone on with by the next. With `FILEORGANIZER_SWEEP_RUNS=0` they are visited in turn
    in this run.

    Args:
        root_id: the only root to visit.
        job_id: a job that exists already, submitted or handed over by a worker that died.

    Returns:
        The counts of each root, by its id; `error` where one could not be indexed. Of all roots,
        the status of each root's job and its files.
    """
    if job_id is not None:
        return reindex_root(job_id)
    if root_id is not None or not Settings().sweep_runs:
        return each_root(reindex_root, JobKind.REINDEX, root_id)
    return sweep_roots()
