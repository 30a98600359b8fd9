"""Undo: put a whole run back, content-verified; later edits stay untouched."""

from typing import Any

from prefect import flow

from flows.batches import threads
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED, carry_out, give_places, settle
from tasks.apply.task import make_undo, mark_undone
from tasks.lifecycle.task import (
    cancel_from_prefect,
    held_job,
    is_about_uploads,
    report_job,
    run_name,
)
from tasks.publish.task import publish_catalog, publish_run


@flow(
    name="undo",
    flow_run_name=run_name("undo"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def undo(job_id: str) -> dict[str, Any]:
    """Carry out the inverse of the job that this undo job names; twice equals once.

    Returns:
        Counts: operations by state, files restored, and what stayed with its reason.
    """
    with held_job(job_id) as run:
        total = make_undo(job_id)
        if is_about_uploads(run.job) and run.job.options.removal is None:
            facts = give_places(run, start=0.1)
            mark_undone(job_id)
            return facts
        carry_out(run, total, start=0.1, counts_files=True)
        facts = settle(run)
        mark_undone(job_id)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        facts |= publish_catalog(job_id, run.job.source_root_id)
        facts |= publish_run(job_id, run.job.source_root_id)
        report_job(job_id, facts)
    return facts
