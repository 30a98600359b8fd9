"""What rules left open, asked of models: read, look, embed, decide, in batches."""

from collections.abc import Callable
from typing import Any

from flows.batches import batch_files, run_window, width
from models.domain.jobs import Job
from models.domain.table_refs import TableRef
from tasks.categorize.looks_task import (
    embed_film_batch,
    list_pictures,
    list_unseen,
    understand_films,
    understand_pictures,
)
from tasks.categorize.understand_task import (
    OPEN_BELOW,
    picture_refusal,
    refusal,
    settle_categories,
    understand_texts,
    understanding_of,
)
from tasks.fingerprint.evidence_task import evidence_batch, list_texts
from tasks.fingerprint.keyframes_task import keyframe_batch, list_recordings
from tasks.fingerprint.texts_task import scans_refusal
from tasks.lifecycle.task import JobRun, batch_ranges

_READING, _SCANS = (0.57, 0.572), (0.572, 0.575)
_TEXTS, _PICTURES, _FILMS = (0.575, 0.58), (0.58, 0.583), (0.583, 0.585)
"""Shares of the job, for progress: between reading the files and finding duplicates."""

Call = dict[str, Any]


def said_of(job: Job) -> str:
    """Return in words what understands a job's files, for its result: models, and scans."""
    said = understanding_of(job)
    return f"{said}; scans: {scans_refusal() or 'read'}" if refusal(job) is None else said


def understood(run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef) -> TableRef:
    """Return the categories of all files, those that rules left open as models say.

    Where the job's account is not entitled to it, or no model is here, they stay as they are and
    no model is touched; the job's result says so (`ai`).
    """
    guesses: list[TableRef] = []
    if refusal(run.job) is None:
        guesses += _texts(run, root_id, fingerprints, categories, scans=False)
        if scans_refusal() is None:
            guesses += _texts(run, root_id, fingerprints, categories, scans=True)
        guesses += _recordings(run, fingerprints, categories)
    if picture_refusal(run.job) is None:
        guesses += _pictures(run, fingerprints, categories)
        guesses += _films(run, root_id, fingerprints, categories)
    if not guesses:
        return categories
    return settle_categories(run.job.id, fingerprints, categories, guesses)


def _calls(job_id: str, name: str, contents: TableRef) -> list[Call]:
    """Return the arguments of each batch of some contents."""
    ranges = batch_ranges(contents.rows, batch_rows=batch_files())
    return [
        {"job_id": job_id, "batch": batch, name: contents, "first": first, "last": last}
        for batch, (first, last) in enumerate(ranges)
    ]


def _texts(
    run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef, *, scans: bool
) -> list[TableRef]:
    job_id = run.job.id
    contents = list_texts(job_id, fingerprints, categories, OPEN_BELOW, scans=scans)
    calls = _calls(job_id, "contents", contents)
    reading = ("reading scans", _SCANS) if scans else ("reading texts", _READING)
    evidence = run_window(
        evidence_batch,
        ({"root_id": root_id, "scans": scans, **call} for call in calls),
        width=width(),
        at_boundary=_told(run, *reading, calls),
        is_heavy=True,
    )
    return run_window(
        understand_texts,
        ({**call, "evidence": part} for call, part in zip(calls, evidence, strict=True)),
        width=width(),
        at_boundary=_told(run, "understanding texts", _TEXTS, calls),
        is_heavy=True,
    )


def _recordings(run: JobRun, fingerprints: TableRef, categories: TableRef) -> list[TableRef]:
    contents = list_recordings(run.job.id, fingerprints, categories, "audio")
    calls = _calls(run.job.id, "contents", contents)
    return run_window(
        understand_texts,
        ({**call, "evidence": None} for call in calls),
        width=width(),
        at_boundary=_told(run, "understanding recordings", _TEXTS, calls),
        is_heavy=True,
    )


def _pictures(run: JobRun, fingerprints: TableRef, categories: TableRef) -> list[TableRef]:
    pictures = list_pictures(run.job.id, fingerprints, categories)
    calls = _calls(run.job.id, "pictures", pictures)
    return run_window(
        understand_pictures,
        calls,
        width=width(),
        at_boundary=_told(run, "understanding pictures", _PICTURES, calls),
        is_heavy=True,
    )


def _films(
    run: JobRun, root_id: str, fingerprints: TableRef, categories: TableRef
) -> list[TableRef]:
    films = list_recordings(run.job.id, fingerprints, categories, "video")
    seen_films(run, root_id, films, _FILMS)
    calls = _calls(run.job.id, "films", films)
    return run_window(
        understand_films,
        calls,
        width=width(),
        at_boundary=_told(run, "understanding films", _FILMS, calls),
        is_heavy=True,
    )


def seen_films(run: JobRun, root_id: str, films: TableRef, span: tuple[float, float]) -> int:
    """Let the image tower see the films that it did not see yet; returns how many.

    Args:
        run: the job.
        root_id: where the films are.
        films: rows of `TextContent`.
        span: shares of the job, for progress.
    """
    calls = _calls(run.job.id, "contents", list_unseen(run.job.id, films))
    frames = run_window(
        keyframe_batch,
        ({"root_id": root_id, **call} for call in calls),
        width=width(),
        at_boundary=_told(run, "looking at films", span, calls),
        is_heavy=True,
    )
    return sum(
        run_window(
            embed_film_batch,
            (
                {"job_id": run.job.id, "batch": batch, "frames": part}
                for batch, part in enumerate(frames)
            ),
            width=width(),
            at_boundary=_told(run, "looking at films", span, calls),
            is_heavy=True,
        )
    )


def _told(
    run: JobRun, phase: str, span: tuple[float, float], calls: list[Call]
) -> Callable[[int], None]:
    """Return what tells of progress after each batch, and stops there when the job is to stop."""

    def at_boundary(done: int) -> None:
        read = calls[done - 1]["last"] if done else 0
        run.progress(phase, read, calls[-1]["last"], span=span)
        run.safe_point()

    return at_boundary
