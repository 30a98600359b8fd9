"""Enact: carry out an approved plan, journaled, and publish what came of it."""

from typing import Any

from prefect import flow

from flows.batches import run_window, threads
from flows.canceling import stops_when_canceled
from flows.understanding import said_of
from models.domain.jobs import JobStatus
from tasks.apply.task import apply_batch, begin_apply, finish_apply
from tasks.apply.uploads_task import assign_places, begin_assigning
from tasks.lifecycle.task import (
    JobRun,
    batch_ranges,
    cancel_from_prefect,
    held_job,
    is_about_uploads,
    recall_index,
    report_job,
    run_name,
)
from tasks.publish.task import publish_catalog, publish_run

APPLIED = 0.95
"""Share of a job after which every operation is journaled as done, for progress."""

BATCH_OPERATIONS = 2000
"""Operations a task carries out: a few seconds of renames, half a minute of copies."""


def carry_out(run: JobRun, total: int, *, start: float, counts_files: bool = False) -> None:
    """Apply the job's (total,) journaled operations in order, batch after batch.

    Args:
        run: the held job.
        total: its operations.
        start: share of the job that came before, for progress.
        counts_files: whether operations are the files that the job counts (an undo lists none).
    """
    job_id = run.job.id
    ranges = batch_ranges(total, batch_rows=BATCH_OPERATIONS)

    def counters(applied: int) -> dict[str, int]:
        return {"files_total": total, "files_processed": applied} if counts_files else {}

    def at_boundary(done: int) -> None:
        applied = ranges[done - 1][1]
        run.progress("applying", applied, total, span=(start, APPLIED), **counters(applied))
        run.safe_point()

    run_window(
        apply_batch,
        (
            {"job_id": job_id, "epoch": run.epoch, "first_seq": first, "last_seq": last - 1}
            for first, last in ranges
        ),
        width=1,  # units and displacements rely on the plan's order
        at_boundary=at_boundary,
    )


def settle(run: JobRun) -> dict[str, Any]:
    """Prune emptied folders and count what came of the operations."""
    facts = finish_apply(run.job.id)
    if facts.get("errors_count"):
        run.outcome = JobStatus.COMPLETED_WITH_ERRORS
    return facts


def give_places(run: JobRun, *, start: float) -> dict[str, Any]:
    """Carry out a plan over uploads, all in one transaction, and count what came of it."""
    run.progress("applying", 0, 1, span=(start, APPLIED))
    facts = assign_places(run.job.id, run.epoch)
    if facts.get("errors_count"):
        run.outcome = JobStatus.COMPLETED_WITH_ERRORS
    report_job(run.job.id, facts)
    return facts


@flow(
    name="enact",
    flow_run_name=run_name("enact"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def enact(job_id: str) -> dict[str, Any]:
    """Carry out the job's approved plan; run again after a kill, it goes on where it was.

    Returns:
        Counts: operations by state, files moved, bytes written, folders pruned, rows published.

    Raises:
        ForbiddenError: nobody approved the plan.
    """
    with held_job(job_id) as run:
        if is_about_uploads(run.job) and run.job.options.removal is None:
            begin_assigning(job_id)
            return give_places(run, start=0.65)
        total = begin_apply(job_id)
        carry_out(run, total, start=0.65)
        facts = settle(run)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs: dict[str, Any] = {**recall_index(job_id)}
        facts |= publish_catalog(job_id, run.job.source_root_id, **refs)
        facts |= publish_run(job_id, run.job.source_root_id, **refs)
        facts["ai"] = said_of(run.job)
        report_job(job_id, facts)
    return facts
