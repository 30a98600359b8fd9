"""What rules left open, asked of models: read, embed, decide, in batches."""

from collections.abc import Callable

from flows.batches import batch_files, run_window, width
from models.domain.table_refs import TableRef
from tasks.categorize.understand_task import (
    OPEN_BELOW,
    list_pictures,
    picture_refusal,
    refusal,
    settle_categories,
    understand_pictures,
    understand_texts,
)
from tasks.fingerprint.evidence_task import evidence_batch, list_texts
from tasks.lifecycle.task import JobRun, batch_ranges

_READING, _TEXTS, _PICTURES = (0.57, 0.575), (0.575, 0.58), (0.58, 0.585)
"""Shares of the job, for progress: between reading the files and finding duplicates."""


def understood(run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the categories of all files, those that rules left open as models say.

    Where the job's account is not entitled to it, or no model is here, they stay as they are and
    no model is touched; the job's result says so (`ai`).
    """
    guesses: list[TableRef] = []
    if refusal(run.job) is None:
        guesses += _texts(run, root_id, fingerprints, categories)
    if picture_refusal(run.job) is None:
        guesses += _pictures(run, fingerprints, categories)
    if not guesses:
        return categories
    return settle_categories(run.job.id, fingerprints, categories, guesses)


def _texts(
    run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef
) -> list[TableRef]:
    job_id = run.job.id
    contents = list_texts(job_id, fingerprints, categories, OPEN_BELOW)
    ranges = batch_ranges(contents.rows, batch_rows=batch_files())
    calls = [
        {"job_id": job_id, "batch": batch, "contents": contents, "first": first, "last": last}
        for batch, (first, last) in enumerate(ranges)
    ]
    evidence = run_window(
        evidence_batch,
        ({"root_id": root_id, **call} for call in calls),
        width=width(),
        at_boundary=_told(run, "reading texts", ranges, _READING),
        is_heavy=True,
    )
    return run_window(
        understand_texts,
        ({**call, "evidence": part} for call, part in zip(calls, evidence, strict=True)),
        width=width(),
        at_boundary=_told(run, "understanding texts", ranges, _TEXTS),
        is_heavy=True,
    )


def _pictures(run: JobRun, fingerprints: TableRef, categories: TableRef) -> list[TableRef]:
    job_id = run.job.id
    pictures = list_pictures(job_id, fingerprints, categories)
    ranges = batch_ranges(pictures.rows, batch_rows=batch_files())
    return run_window(
        understand_pictures,
        (
            {"job_id": job_id, "batch": batch, "pictures": pictures, "first": first, "last": last}
            for batch, (first, last) in enumerate(ranges)
        ),
        width=width(),
        at_boundary=_told(run, "understanding pictures", ranges, _PICTURES),
        is_heavy=True,
    )


def _told(
    run: JobRun, phase: str, ranges: list[tuple[int, int]], span: tuple[float, float]
) -> Callable[[int], None]:
    """Return what tells of progress after each batch, and stops there when the job is to stop."""

    def at_boundary(done: int) -> None:
        run.progress(phase, ranges[done - 1][1] if done else 0, ranges[-1][1], span=span)
        run.safe_point()

    return at_boundary
