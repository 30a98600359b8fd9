"""Near-duplicates of one root: index it, sign what is new, group what is nearly the same."""

from typing import Any

from prefect import flow

from flows.batches import run_window, threads, width
from flows.canceling import stops_when_canceled
from flows.enact import APPLIED
from flows.indexing import FINGERPRINTED, Indexed, index_root
from models.domain.entitlements import Feature, require
from models.domain.near import NearMedia
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.dedupe.near_task import find_near_duplicates, find_near_pairs
from tasks.fingerprint.signing_task import list_contents, list_packs, list_unsigned, sign_batch
from tasks.lifecycle.task import (
    JobRun,
    batch_ranges,
    cancel_from_prefect,
    held_job,
    recall_index,
    remember_index,
    report_job,
    run_name,
)
from tasks.publish.task import publish_catalog, publish_run

_SIGNING = (FINGERPRINTED + 0.05, 0.85)
"""Share of the job that catching up with signatures takes, for progress."""


def signed_contents(
    run: JobRun, root_id: str, indexed: Indexed, *, media: list[str]
) -> tuple[TableRef, list[TableRef]]:
    """Return what is compared of an indexed root: rows of `Content` and packs of `Signature`.

    What was not signed while it was indexed (it was indexed before) is read for that now.

    Raises:
        ForbiddenError: the job's account is not entitled to fuzzy duplicates.
    """
    require(run.job.entitlement_snapshot, Feature.FUZZY_DUPLICATES)
    job_id = run.job.id
    contents = list_contents(job_id, indexed.fingerprints, indexed.duplicates, media)
    unsigned = list_unsigned(job_id, contents)
    ranges = batch_ranges(unsigned.rows, batch_rows=Settings().batch_files)

    def at_boundary(done: int) -> None:
        signed = ranges[done - 1][1] if done else 0
        run.progress("signing", signed, unsigned.rows, span=_SIGNING)
        run.safe_point()

    run_window(
        sign_batch,
        (
            {
                "job_id": job_id,
                "root_id": root_id,
                "batch": batch,
                "contents": unsigned,
                "first": first,
                "last": last,
            }
            for batch, (first, last) in enumerate(ranges)
        ),
        width=width(),
        at_boundary=at_boundary,
    )
    run.progress("comparing", 0, 1, span=(_SIGNING[1], APPLIED))
    return contents, list_packs(contents)


def near_groups_of(
    run: JobRun, root_id: str, indexed: Indexed, *, media: list[str], threshold: float | None
) -> TableRef:
    """Return the near groups of an indexed root, rows of `DuplicateRow`.

    Raises:
        ForbiddenError: the job's account is not entitled to fuzzy duplicates.
    """
    contents, packs = signed_contents(run, root_id, indexed, media=media)
    return find_near_duplicates(
        run.job.id, indexed.fingerprints, indexed.categories, contents, packs, threshold
    )


@flow(
    name="near-duplicates",
    flow_run_name=run_name("near-duplicates"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def near_duplicates(
    job_id: str, media: list[str] | None = None, threshold: float | None = None
) -> dict[str, Any]:
    """Index one root as `reindex` does, and find what is nearly the same. Removes nothing.

    The groups are published with the run; runs that do not look keep them where the files go.

    Args:
        job_id: a pending job of kind `reindex`.
        media: which of `NearMedia` to compare; all of them when None.
        threshold: smallest similarity ratio; by the collection's size when None.

    Returns:
        Counts of files, bytes, changes, duplicates and published rows, and of near rows.

    Raises:
        ForbiddenError: the job's account is not entitled to fuzzy duplicates.
    """
    with held_job(job_id) as run:
        require(run.job.entitlement_snapshot, Feature.FUZZY_DUPLICATES)
        root_id = run.job.source_root_id
        compared = media or [*NearMedia]
        indexed = index_root(run, root_id, sign=compared)
        near = near_groups_of(run, root_id, indexed, media=compared, threshold=threshold)
        remember_index(job_id, {**recall_index(job_id), "near": near})
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts = publish_catalog(job_id, root_id, *refs, near=near, media=compared)
        facts |= publish_run(job_id, root_id, *refs, near=near, media=compared)
        facts["near_rows"] = near.rows
        report_job(job_id, facts)
    return facts


@flow(
    name="near-pairs",
    flow_run_name=run_name("near-pairs"),
    task_runner=threads(),
    on_cancellation=[cancel_from_prefect],
)
@stops_when_canceled
def near_pairs(job_id: str, media: list[str] | None = None) -> dict[str, Any]:
    """Index one root and find the pairs that a person may be asked about. Removes nothing.

    Args:
        job_id: a pending job of kind `reindex`.
        media: which of `NearMedia` to compare; all of them when None.

    Returns:
        Counts of published rows, and of pairs.

    Raises:
        ForbiddenError: the job's account is not entitled to fuzzy duplicates.
    """
    with held_job(job_id) as run:
        require(run.job.entitlement_snapshot, Feature.FUZZY_DUPLICATES)
        root_id = run.job.source_root_id
        compared = media or [*NearMedia]
        indexed = index_root(run, root_id, sign=compared)
        contents, packs = signed_contents(run, root_id, indexed, media=compared)
        pairs = find_near_pairs(job_id, contents, packs)
        remember_index(job_id, {**recall_index(job_id), "contents": contents, "pairs": pairs})
        run.progress("publishing", 0, 1, span=(APPLIED, 1.0))
        refs = (indexed.fingerprints, indexed.categories, indexed.duplicates)
        facts = publish_catalog(job_id, root_id, *refs)
        facts |= publish_run(job_id, root_id, *refs)
        facts["near_pairs"] = pairs.rows
        report_job(job_id, facts)
    return facts
