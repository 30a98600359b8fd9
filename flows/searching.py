"""Index for search: texts read once, vectors made once, words of what changed. Moves nothing."""

from typing import Any

from prefect import flow

from flows.batches import batch_files, run_window, threads, width
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import FINGERPRINTED, Indexed, index_root
from flows.roots import each_root
from flows.understanding import said_of, seen_films
from models.domain.jobs import JobKind
from models.domain.table_refs import TableRef
from tasks.categorize.embed_task import embed_text_batch, list_unembedded, text_model_id
from tasks.categorize.looks_task import (
    embed_picture_batch,
    image_model_id,
    list_pictures,
    list_unseen,
)
from tasks.categorize.understand_task import picture_refusal, refusal
from tasks.fingerprint.keyframes_task import list_recordings
from tasks.fingerprint.texts_task import (
    list_searchable,
    list_unread_texts,
    read_text_batch,
    scans_refusal,
)
from tasks.lifecycle.task import (
    JobRun,
    batch_ranges,
    cancel_from_prefect,
    held_job,
    report_job,
    run_name,
)
from tasks.publish.task import publish_catalog, publish_run
from tasks.search.task import forget_contents, index_vectors, index_words

_READING = (FINGERPRINTED + 0.05, 0.75)
_EMBEDDING, _LOOKING = (0.75, 0.86), (0.86, 0.92)
"""Shares of the job, for progress: of 1,500 new documents reading takes a third, embedding two."""


def searchable(run: JobRun, root_id: str, indexed: Indexed) -> dict[str, Any]:
    """Bring a published root's search index up to date, and count what was new."""
    facts: dict[str, Any] = {"ai": said_of(run.job)}
    facts |= _worded(run, root_id, indexed.fingerprints, scans=False)
    if scans_refusal() is None:
        scanned = _worded(run, root_id, indexed.fingerprints, scans=True)
        facts |= {name: facts.get(name, 0) + count for name, count in scanned.items()}
    if picture_refusal(run.job) is None:
        facts |= _seen(run, root_id, indexed.fingerprints)
    facts["files_indexed"] = index_words(root_id)
    facts["contents_forgotten"] = forget_contents()
    return facts


def _worded(run: JobRun, root_id: str, fingerprints: TableRef, *, scans: bool) -> dict[str, int]:
    """Read the texts that nobody read yet, embed those that are not; and count them."""
    job_id = run.job.id
    contents = list_searchable(job_id, fingerprints, scans=scans)
    unread = list_unread_texts(job_id, contents, scans=scans)
    ids = {"root_id": root_id, "scans": scans}
    facts = {"texts_read": _windowed(run, read_text_batch, unread, ids, "reading texts", _READING)}
    if refusal(run.job) is None:
        unembedded = list_unembedded(job_id, contents)
        facts["texts_embedded"] = _windowed(
            run, embed_text_batch, unembedded, {"job_id": job_id}, "embedding", _EMBEDDING
        )
        facts["vectors_copied"] = index_vectors(contents, text_model_id())
    return facts


def _seen(run: JobRun, root_id: str, fingerprints: TableRef) -> dict[str, int]:
    """Let the image tower see every picture and film that it did not see yet; and count them."""
    job_id, model_id = run.job.id, image_model_id()
    pictures = list_pictures(job_id, fingerprints, None)
    unseen = list_unseen(job_id, pictures)
    seen = _windowed(
        run, embed_picture_batch, unseen, {"job_id": job_id}, "looking at pictures", _LOOKING
    )
    films = list_recordings(job_id, fingerprints, None, "video")
    seen += seen_films(run, root_id, films, _LOOKING)
    copied = sum(index_vectors(each, model_id, "image") for each in (pictures, films))
    return {"looks_embedded": seen, "looks_copied": copied}


def _windowed(  # noqa: PLR0917 - what is run, over what, and how it is told
    run: JobRun,
    task: Any,
    contents: TableRef,
    ids: dict[str, Any],
    phase: str,
    span: tuple[float, float],
) -> int:
    """Run a task over batches of contents and return the sum of what it returns."""
    ranges = batch_ranges(contents.rows, batch_rows=batch_files())

    def at_boundary(done: int) -> None:
        run.progress(phase, ranges[done - 1][1] if done else 0, contents.rows, span=span)
        run.safe_point()

    is_numbered = "job_id" in ids
    calls = (
        {
            **ids,
            **({"batch": batch} if is_numbered else {}),
            "contents": contents,
            "first": first,
            "last": last,
        }
        for batch, (first, last) in enumerate(ranges)
    )
    return sum(run_window(task, calls, width=width(), at_boundary=at_boundary, is_heavy=True))


@flow(
    name="index-search-root",
    flow_run_name=run_name("index-search"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def index_search_root(job_id: str) -> dict[str, Any]:
    """Index one root as `reindex` does, and make its files searchable.

    Args:
        job_id: a pending job of kind `reindex`.

    Returns:
        The counts of `reindex`, and texts read, vectors made and files indexed. `ai` says in words
        why none was embedded, where that is so.
    """
    with held_job(job_id) as run:
        root_id = run.job.source_root_id
        indexed = index_root(run, root_id)
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts = publish_catalog(job_id, root_id, *refs)
        facts |= searchable(run, root_id, indexed)
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        facts |= publish_run(job_id, root_id, *refs)
        report_job(job_id, facts)
    return facts


@flow(name="index-search", on_cancellation=[cancel_from_prefect])
@stops_when_canceled
def index_search(root_id: str | None = None, job_id: str | None = None) -> dict[str, Any]:
    """Make the files of one root searchable, or of all in turn; one that is away changes nothing.

    Args:
        root_id: the only root to visit.
        job_id: a job that exists already.

    Returns:
        The counts of each root, by its id; `error` where one could not be indexed.
    """
    if job_id is not None:
        return index_search_root(job_id)
    return each_root(index_search_root, JobKind.REINDEX, root_id)
