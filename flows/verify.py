"""Verify: read everything again and compare with what was recorded (bit rot)."""

from typing import Any

from prefect import flow

from flows.batches import run_window, threads, width
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.roots import each_root
from models.domain.jobs import JobKind, JobStatus
from models.settings import Settings
from tasks.lifecycle.task import (
    batch_ranges,
    cancel_from_prefect,
    held_job,
    report_job,
    run_name,
)
from tasks.verify.task import files_to_verify, summarize_verification, verify_batch


@flow(
    name="verify-root",
    flow_run_name=run_name("verify"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def verify_root(job_id: str) -> dict[str, Any]:
    """Read every known file of one root again.

    Returns:
        Counts of `intact`, `rotten`, `edited`, `missing` and `unreadable` files.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        files = files_to_verify(job_id, root_id)
        ranges = batch_ranges(files.rows, batch_rows=Settings().batch_files)

        def at_boundary(done: int) -> None:
            run.progress(
                "verifying",
                ranges[done - 1][1],
                files.rows,
                span=(0.0, APPLIED),
                files_total=files.rows,
                files_processed=ranges[done - 1][1],
            )
            run.safe_point()

        parts = run_window(
            verify_batch,
            (
                {
                    "job_id": job_id,
                    "root_id": root_id,
                    "batch": batch,
                    "files": files,
                    "first": first,
                    "last": last,
                }
                for batch, (first, last) in enumerate(ranges)
            ),
            width=width(),
            at_boundary=at_boundary,
        )
        facts = summarize_verification(job_id, parts)
        if facts["rotten"] or facts["missing"] or facts["unreadable"]:
            run.outcome = JobStatus.COMPLETED_WITH_ERRORS
        report_job(job_id, facts)
    return facts


@flow(name="verify", on_cancellation=[cancel_from_prefect])
@stops_when_canceled
def verify(root_id: str | None = None, job_id: str | None = None) -> dict[str, Any]:
    """Verify one root, or all of them in turn.

    Args:
        root_id: the only root to visit.
        job_id: a job that exists already, submitted or handed over by a worker that died.

    Returns:
        The counts of each root, by its id; `error` where one could not be read.
    """
    if job_id is not None:
        return verify_root(job_id)
    return each_root(verify_root, JobKind.VERIFY, root_id)
