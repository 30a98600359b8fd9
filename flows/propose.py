"""Propose: from a storage root to a frozen plan. Nothing is moved."""

from prefect import flow

from flows.batches import threads
from flows.canceling import stops_when_canceled
from flows.indexing import FINGERPRINTED, Indexed, index_root, index_uploads
from flows.near import near_groups_of
from models.domain.jobs import JobStatus, RemovalOptions
from models.domain.near import NearMedia
from tasks.lifecycle.task import (
    JobRun,
    cancel_from_prefect,
    held_job,
    is_about_uploads,
    recall_index,
    remember_index,
    report_plan,
    run_name,
    saved_plan,
)
from tasks.plan.merge_task import make_merge_plan
from tasks.plan.removal_task import make_removal_plan
from tasks.plan.task import list_destination, make_plan


def _waits(_run: JobRun) -> JobStatus:
    """A proposed job waits for its approval."""
    return JobStatus.PENDING


def _planned(run: JobRun, indexed: Indexed) -> str:
    """Plan what the job asks for: organizing, a union, or a removal; return the plan's id."""
    job_id = run.job.id
    if run.job.options.removal is not None:
        return _removal(run, indexed, run.job.options.removal)
    if run.job.options.is_merge:
        return make_merge_plan(job_id, indexed.fingerprints, indexed.problems)
    existing = list_destination(job_id, indexed.manifest)
    return make_plan(
        job_id,
        indexed.fingerprints,
        indexed.categories,
        indexed.duplicates,
        existing,
        indexed.problems,
    )


def _removal(run: JobRun, indexed: Indexed, removal: RemovalOptions) -> str:
    """Plan which duplicates go; lookalikes are looked for where they were asked for."""
    job_id, near = run.job.id, None
    if removal.wants_near:
        near = near_groups_of(
            run,
            run.job.source_root_id,
            indexed,
            media=list(removal.media) or [*NearMedia],
            threshold=removal.threshold,
        )
        remember_index(job_id, {**recall_index(job_id), "near": near})
    return make_removal_plan(
        job_id, indexed.fingerprints, indexed.duplicates, indexed.problems, near
    )


@flow(
    name="propose",
    flow_run_name=run_name("propose"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def propose(job_id: str) -> str:
    """Index the job's source and plan every operation.

    Args:
        job_id: a pending job of kind `organize` or `deduplicate`.

    Returns:
        The plan's id, for `enact` after an approval that names it.
    """
    with held_job(job_id, on_done=_waits) as run:
        if is_about_uploads(run.job) and run.job.options.removal is None:
            indexed = index_uploads(run)
        else:
            indexed = index_root(run, run.job.source_root_id)
        run.progress("planning", 0, 1, span=(FINGERPRINTED + 0.04, FINGERPRINTED + 0.1))
        plan_id = _planned(run, indexed)
        report_plan(saved_plan(plan_id))
        run.progress("planned", 1, 1, span=(FINGERPRINTED + 0.04, FINGERPRINTED + 0.1))
    return plan_id
