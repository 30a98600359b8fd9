"""Propose: from a storage root to a frozen plan. Nothing is moved."""

from prefect import flow

from flows.batches import threads
from flows.canceling import stops_when_canceled
from flows.indexing import FINGERPRINTED, Indexed, index_root
from models.domain.jobs import JobStatus
from tasks.lifecycle.task import (
    JobRun,
    cancel_from_prefect,
    held_job,
    report_plan,
    run_name,
    saved_plan,
)
from tasks.plan.merge_task import make_merge_plan
from tasks.plan.task import list_destination, make_plan


def _waits(_run: JobRun) -> JobStatus:
    """A proposed job waits for its approval."""
    return JobStatus.PENDING


def _planned(run: JobRun, indexed: Indexed) -> str:
    """Plan what the job asks for, organizing or a union of two folders; return the plan's id."""
    job_id = run.job.id
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
        job_id: a pending job of kind `organize`.

    Returns:
        The plan's id, for `enact` after an approval that names it.
    """
    with held_job(job_id, on_done=_waits) as run:
        indexed = index_root(run, run.job.source_root_id)
        run.progress("planning", 0, 1, span=(FINGERPRINTED + 0.04, FINGERPRINTED + 0.1))
        plan_id = _planned(run, indexed)
        report_plan(saved_plan(plan_id))
        run.progress("planned", 1, 1, span=(FINGERPRINTED + 0.04, FINGERPRINTED + 0.1))
    return plan_id
