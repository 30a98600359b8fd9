"""What rules left open, asked of models: read, embed, decide, in batches."""

from typing import Any

from flows.batches import run_window, width
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize.understand_task import (
    OPEN_BELOW,
    refusal,
    settle_categories,
    understand_texts,
)
from tasks.fingerprint.evidence_task import evidence_batch, list_texts
from tasks.lifecycle.task import JobRun, batch_ranges

_READING, _DECIDING = (0.57, 0.575), (0.575, 0.585)
"""Shares of the job, for progress: between reading the files and finding duplicates."""


def understood(run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the categories of all files, those that rules left open as models say.

    Where the job's account is not entitled to it, or no model is here, they stay as they are and
    no model is touched; the job's result says so (`ai`).
    """
    if refusal(run.job) is not None:
        return categories
    job_id = run.job.id
    contents = list_texts(job_id, fingerprints, categories, OPEN_BELOW)
    ranges = batch_ranges(contents.rows, batch_rows=Settings().batch_files)
    if not ranges:
        return categories

    def calls(**more: list[TableRef]) -> list[dict[str, Any]]:
        return [
            {
                "job_id": job_id,
                "batch": batch,
                "contents": contents,
                "first": first,
                "last": last,
                **{name: values[batch] for name, values in more.items()},
            }
            for batch, (first, last) in enumerate(ranges)
        ]

    def told(phase: str, span: tuple[float, float]) -> Any:
        def at_boundary(done: int) -> None:
            run.progress(phase, ranges[done - 1][1] if done else 0, contents.rows, span=span)
            run.safe_point()

        return at_boundary

    evidence = run_window(
        evidence_batch,
        ({"root_id": root_id, **call} for call in calls()),
        width=width(),
        at_boundary=told("reading texts", _READING),
    )
    guesses = run_window(
        understand_texts,
        calls(evidence=evidence),
        width=width(),
        at_boundary=told("understanding texts", _DECIDING),
    )
    return settle_categories(job_id, fingerprints, categories, guesses)
