"""A job as its readers see it: the names of `GET /organize/jobs/{job_id}`."""

import math
from datetime import datetime
from typing import Any

from models.domain.jobs import Job, JobStatus

ETA_FROM_RATIO = 0.05
"""Below this share a rate says nothing yet; `estimated_completion` is null until then (R71)."""

WHOLE: frozenset[JobStatus] = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.UNDONE}
)
"""Statuses in which a job may stand at 100 %; completing sets its ratio to 1, nothing else does."""


def job_view(job: Job) -> dict[str, Any]:
    """Return a job as a JSON document: the specification's fields, and what else readers want.

    `progress` is in percent, 0 to 100 with one decimal, never falls within an attempt, and is 100
    exactly when the job completed. Times are ISO 8601 in UTC or null.
    """
    return {
        "id": job.id,
        "kind": job.kind.value,
        "status": shown_status(job),
        "progress": percent(job),
        "phase": job.phase,
        "files_total": job.files_total,
        "bytes_total": job.bytes_total,
        "files_processed": job.files_processed,
        "files_moved": job.files_moved,
        "duplicates_found": job.duplicates_found,
        "errors_count": job.errors_count,
        "attempt": job.attempt,
        "error": job.error,
        "plan_hash": job.plan_hash,
        "target_job_id": job.target_job_id,
        "source_path": job.source_url,
        "organization_mode": job.options.mode,
        "operation_type": job.options.operation.value,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "completed_at": _iso(job.completed_at),
        "estimated_completion": _iso(estimated_completion(job)),
    }


PAUSED = "paused"
"""How a pending job that was asked to rest is shown; the rows know it by `paused_at`."""


def shown_status(job: Job) -> str:
    """Return the status as readers see it.

    A job that rests is `paused`. One that failed or was canceled and was asked for again is
    `pending`: its row keeps the old status until a worker takes it.
    """
    if job.status in {JobStatus.FAILED, JobStatus.CANCELED} and job.completed_at is None:
        return JobStatus.PENDING.value
    if job.paused_at is not None and job.status is JobStatus.PENDING:
        return PAUSED
    return job.status.value


def percent(job: Job) -> float:
    """Return progress in percent, one decimal, rounded down; 100 only for a completed job."""
    if job.progress_ratio >= 1.0 and job.status in WHOLE:
        return 100.0
    return min(math.floor(job.progress_ratio * 1000) / 10, 99.9)


def estimated_completion(job: Job) -> datetime | None:
    """Return when a running job will be done if it goes on as it went since it last began.

    None while it does not run, below `ETA_FROM_RATIO`, and until it has made progress.
    """
    if job.status is not JobStatus.RUNNING or job.progress_ratio < ETA_FROM_RATIO:
        return None
    gained = job.progress_ratio - job.running_from_ratio
    if job.running_since is None or job.progress_at is None or gained <= 0:
        return None
    spent = job.progress_at - job.running_since
    return job.progress_at + spent * ((1 - job.progress_ratio) / gained)


def _iso(moment: datetime | None) -> str | None:
    """ISO 8601 with `Z`, as the specification's examples have it."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
