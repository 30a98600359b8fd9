"""Prefect edge of publishing: the catalog in Postgres, then the run in the warehouse."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.errors import BrokenError
from models.domain.table_refs import TableRef
from models.domain.warehouse_rows import RunStatus
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.publish.ports import PublishLedger
from tasks.publish.roots import ALL_MEDIA, IndexRefs
from tasks.publish.staging import Staged, staged
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import Lake, open_lake
from warehouse.store.publishing import StagedRun, Verdict, publish, rows_at_rest
from warehouse.store.standing import keep_standing


def open_both(settings: Settings) -> tuple[Lake, PublishLedger]:
    """Return the lake and the ledger that the settings name.

    Raises:
        BusyError: no database is configured or running.
    """
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    return lake, open_ledger(settings)


def as_refs(
    fingerprints: TableRef | None,
    categories: TableRef | None,
    duplicates: TableRef | None,
    near: TableRef | None = None,
    media: Iterable[str] | None = None,
) -> IndexRefs | None:
    """Return the references as one; None unless the first three are there."""
    if fingerprints is None or categories is None or duplicates is None:
        return None
    return IndexRefs(
        fingerprints=fingerprints,
        categories=categories,
        duplicates=duplicates,
        near=near,
        media=ALL_MEDIA if media is None else frozenset(media),
    )


def to_catalog(lake: Lake, ledger: PublishLedger, job_id: str, found: Staged) -> dict[str, int]:
    """Merge what a job staged into the catalog and return what changed; again changes nothing.

    Files are published in all roots before anything is marked as gone in any, so that a file that
    went from one root to another keeps its identity.
    """
    job = ledger.job(job_id)
    ledger.carry_tags(job)  # first, while members and keepers lie where the plan saw them
    counts: Counter[str] = Counter()
    members = 0
    for root in found.roots:
        if root.is_unchanged:
            counts["catalog_unchanged"] += root.rows.rows
            continue
        changes = ledger.publish_files(
            replace(job, source_root_id=root.previous_root_id),
            lake.read(root.rows),
            root_id=root.root_id,
            is_complete=root.is_complete,
        )
        counts.update({f"catalog_{name}": count for name, count in asdict(changes).items()})
    for root in found.roots:
        if root.gone:
            counts["catalog_deleted"] += ledger.mark_deleted(
                job, list(root.gone), root_id=root.root_id
            )
        if root.is_unchanged:
            members += root.duplicates.rows
            continue
        members += ledger.publish_duplicates(job, lake.read(root.duplicates), root_id=root.root_id)
    return {**counts, "duplicate_members": members}


def to_warehouse(
    lake: Lake,
    ledger: PublishLedger,
    job_id: str,
    found: Staged,
    judge: Callable[[StagedRun], Verdict],
) -> dict[str, int]:
    """Publish what a job staged to the warehouse, and remember its indexes.

    Returns:
        How many rows were published, judged by how many expectations.

    Raises:
        BrokenError: the run broke an expectation and is in quarantine.
        BusyError: others commit without end.
    """
    marker = publish(lake, found.run, judge)
    if marker.status != RunStatus.PUBLISHED:
        raise BrokenError(f"the run of job {job_id} is in quarantine: {marker.reasons}")
    for root in found.roots:
        if root.standing is not None:
            keep_standing(lake, root.root_id, root.standing)
        ledger.set_last_index(root.root_id, root.index, job_id=job_id)
    return {
        "rows_published": marker.rows_count,
        "expectations_met": marker.expectations_count,
    }


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def publish_catalog(
    job_id: str,
    root_id: str,
    fingerprints: TableRef | None = None,
    categories: TableRef | None = None,
    duplicates: TableRef | None = None,
    *,
    near: TableRef | None = None,
    media: list[str] | None = None,
) -> dict[str, int]:
    """Bring the catalog up to date with what a job found and did; again changes nothing.

    Args:
        job_id: the job, all its operations closed.
        root_id: the root that was indexed for it.
        fingerprints: the root's Fingerprint rows, before the operations.
        categories: its CategoryRow rows.
        duplicates: its DuplicateRow rows. An undo goes without the three.
        near: its near groups, rows of DuplicateRow, where they were looked for.
        media: which of `NearMedia` were looked at for them; all of them when None.

    Returns:
        Counts of files inserted, updated, unchanged, moved and deleted, and of members of groups.
    """
    lake, ledger = open_both(Settings())
    refs = as_refs(fingerprints, categories, duplicates, near, media)
    return to_catalog(lake, ledger, job_id, staged(lake, ledger, job_id, root_id, refs))


@task(cache_policy=NO_CACHE)
def judge_run(run: StagedRun) -> dict[str, Any]:
    """Judge a run's rows at rest with Great Expectations, before anybody sees them.

    Its Data Docs are kept in the lake, whether it passes or not.

    Returns:
        `expectations` and `failures` of a `Verdict`.
    """
    from warehouse.quality.expectations import judge

    lake, _ = open_both(Settings())
    return asdict(judge(rows_at_rest(lake, run.run_id), run, lake))


def _judged(lake: Lake, run: StagedRun) -> Verdict:
    """Judge a run, and link its Data Docs from the flow run in Prefect's UI."""
    from prefect.artifacts import create_link_artifact

    from warehouse.quality.docs import docs_address

    verdict = Verdict(**judge_run(run))
    create_link_artifact(
        key=f"quality-{run.run_id[:8]}",
        link=docs_address(lake, run.run_id),
        link_text=f"Data Docs of run {run.run_id}",
        description=f"{verdict.expectations} expectations, {len(verdict.failures)} unmet; "
        f"`fileorganizer warehouse docs {run.run_id[:8]}` opens them",
    )
    return verdict


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def publish_run(
    job_id: str,
    root_id: str,
    fingerprints: TableRef | None = None,
    categories: TableRef | None = None,
    duplicates: TableRef | None = None,
    *,
    near: TableRef | None = None,
    media: list[str] | None = None,
) -> dict[str, int]:
    """Publish a job's history to the warehouse, judged before it is seen; again changes nothing.

    Args:
        job_id: the job, all its operations closed.
        root_id: the root that was indexed for it.
        fingerprints: the root's Fingerprint rows, before the operations.
        categories: its CategoryRow rows.
        duplicates: its DuplicateRow rows. An undo goes without the three.
        near: its near groups, rows of DuplicateRow, where they were looked for.
        media: which of `NearMedia` were looked at for them; all of them when None.

    Returns:
        How many rows were published, judged by how many expectations.

    Raises:
        BrokenError: the run broke an expectation and is in quarantine.
    """
    lake, ledger = open_both(Settings())
    refs = as_refs(fingerprints, categories, duplicates, near, media)
    found = staged(lake, ledger, job_id, root_id, refs)
    return to_warehouse(lake, ledger, job_id, found, lambda run: _judged(lake, run))
