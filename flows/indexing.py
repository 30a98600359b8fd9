"""From a root to fingerprints, categories and duplicates: shared by propose and reindex."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.batches import batch_files, run_window, width
from flows.understanding import understood
from models.domain.table_refs import TableRef
from tasks.categorize.correcting_task import apply_corrections
from tasks.categorize.task import categorize
from tasks.dedupe.task import find_duplicates
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.lifecycle.shards import parts_of_shards
from tasks.lifecycle.task import JobRun, batch_ranges, remember_index
from tasks.manifest.task import list_manifest
from tasks.plan.uploads_task import list_uploads

LISTED = 0.05
"""Share of a job that listing takes, for progress; measured on the sample collection."""

FINGERPRINTED = 0.55
"""Share after which every file was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What is known of a root after its files were read."""

    manifest: TableRef
    problems: TableRef
    fingerprints: TableRef
    categories: TableRef
    duplicates: TableRef


def fingerprint_calls(
    job_id: str, root_id: str, changed: TableRef, *, sign: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the arguments of each batch that reads what changed, in order of keys.

    Args:
        job_id: the job.
        root_id: where the files are.
        changed: rows of ManifestRow.
        sign: which of `NearMedia` are signed on the way.
    """
    ranges = batch_ranges(changed.rows, batch_rows=batch_files())
    return [
        {
            "job_id": job_id,
            "root_id": root_id,
            "batch": batch,
            "manifest": changed,
            "first": first,
            "last": last,
            "sign": list(sign),
        }
        for batch, (first, last) in enumerate(ranges)
    ]


def index_uploads(run: JobRun) -> Indexed:
    """Take what the catalog knows of the job's uploads, and group equal contents."""
    job_id = run.job.id
    run.progress("listing", 0, 1, span=(0.0, LISTED))
    listed = list_uploads(job_id)
    total = listed.manifest.rows
    run.require_room(total)
    run.progress(
        "finding duplicates",
        1,
        1,
        span=(LISTED, FINGERPRINTED),
        files_total=total,
        files_processed=total,
    )
    duplicates = find_duplicates(job_id, listed.fingerprints, listed.categories)
    remember_index(
        job_id,
        {
            "fingerprints": listed.fingerprints,
            "categories": listed.categories,
            "duplicates": duplicates,
        },
    )
    run.safe_point()
    return Indexed(
        manifest=listed.manifest,
        problems=listed.problems,
        fingerprints=listed.fingerprints,
        categories=listed.categories,
        duplicates=duplicates,
    )


def index_root(run: JobRun, root_id: str, *, sign: Sequence[str] = ()) -> Indexed:
    """List a root, read what changed, categorize everything and group equal contents.

    Args:
        run: the job.
        root_id: what is indexed.
        sign: which of `NearMedia` are to be compared later, so that one read serves that, too.
    """
    job_id = run.job.id
    run.progress("listing", 0, 1, span=(0.0, LISTED))
    listed = list_manifest(job_id, root_id)
    total = listed.manifest.rows
    run.require_room(total)
    known = total - listed.changed.rows
    run.safe_point()

    run.progress("fingerprinting", known, total, span=(LISTED, FINGERPRINTED), files_total=total)
    calls = fingerprint_calls(job_id, root_id, listed.changed, sign=sign)

    def at_boundary(done: int) -> None:
        read = known + (calls[done - 1]["last"] if done else 0)
        run.progress(
            "fingerprinting",
            read,
            total,
            span=(LISTED, FINGERPRINTED),
            files_total=total,
            files_processed=read,
        )
        run.safe_point()

    parts = parts_of_shards(job_id, rows=listed.changed.rows)
    if parts:
        at_boundary(len(calls))
    else:
        parts = run_window(
            fingerprint_batch, calls, width=width(), at_boundary=at_boundary, is_heavy=True
        )
    # A root in which nothing changed keeps the very part that it has.
    fingerprints = (
        merge_fingerprints(job_id, root_id, parts, listed.known) if parts else listed.known
    )
    run.safe_point()
    run.progress("categorizing", 0, 1, span=(FINGERPRINTED, FINGERPRINTED + 0.02))
    categories = categorize(job_id, fingerprints)
    run.safe_point()
    categories = understood(run, root_id, fingerprints, categories)
    categories = apply_corrections(job_id, fingerprints, categories)
    run.progress("finding duplicates", 0, 1, span=(FINGERPRINTED + 0.02, FINGERPRINTED + 0.04))
    duplicates = find_duplicates(job_id, fingerprints, categories)
    remember_index(
        job_id,
        {"fingerprints": fingerprints, "categories": categories, "duplicates": duplicates},
    )
    run.safe_point()
    return Indexed(
        manifest=listed.manifest,
        problems=listed.problems,
        fingerprints=fingerprints,
        categories=categories,
        duplicates=duplicates,
    )
