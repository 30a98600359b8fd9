"""Prefect edge of finding near-duplicates."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from prefect import task

from models.domain.near import NearMedia
from models.domain.table_refs import TableRef
from models.domain.targets import Target
from models.settings import Settings
from storage.opening import open_store
from tasks.dedupe.calibrations import read_calibration
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import Lake, open_lake


def _batches(lake: Lake, parts: Sequence[TableRef]) -> Iterator[pa.RecordBatch]:
    for ref in parts:
        yield from lake.read(ref).to_batches()


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def find_near_duplicates(  # noqa: PLR0917 - the tables that one step takes from others
    job_id: str,
    fingerprints: TableRef,
    categories: TableRef,
    contents: TableRef,
    signatures: Sequence[TableRef],
    threshold: float | None = None,
) -> TableRef:
    """Return the groups of contents that are nearly the same, each with its keeper.

    Args:
        job_id: whose rules choose the keepers.
        fingerprints: rows of `Fingerprint`.
        categories: rows of `CategoryRow`.
        contents: rows of `Content`.
        signatures: parts of rows of `Signature`.
        threshold: smallest similarity ratio of every kind; when None, what the root was calibrated
            to, or else by the collection's size.

    Returns:
        Rows of `DuplicateRow`, perceptual and textual; none of them removable by a rule.

    Raises:
        InvalidError: the job's mode or template cannot be used.
    """
    from tasks.dedupe.near.groups import near_groups

    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        decisions = ledger.decisions_of(job.account_id)
    store = open_store(job.destination_url, s3_endpoint_url=settings.s3_endpoint_url)
    thresholds = (
        read_calibration(lake, job.source_root_id).thresholds
        if threshold is None
        else {media.value: threshold for media in NearMedia}
    )
    with tempfile.TemporaryDirectory() as scratch:
        groups = near_groups(
            lake.read(fingerprints),
            lake.read(categories),
            lake.read(contents),
            lambda: _batches(lake, signatures),
            scratch=Path(scratch),
            options=job.options,
            source_url=job.source_url,
            destination_url=job.destination_url,
            target=Target(folds_case=store.folds_case, normalizes_unicode=store.normalizes_unicode),
            thresholds=thresholds,
            decisions=decisions,
            workers=settings.work_threads or os.cpu_count() or 1,
        )
    asked = "auto" if threshold is None else f"{threshold:.4f}"
    uri = f"runs/{job_id}/near/groups-{contents.sha256[:16]}-{asked}.parquet"
    return lake.write_part(groups, uri=uri, table_name="near_duplicates")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def find_near_pairs(job_id: str, contents: TableRef, signatures: Sequence[TableRef]) -> TableRef:
    """Return pairs of contents with their similarity, to be labeled; rows of `NearPair`.

    Args:
        job_id: for whom.
        contents: rows of `Content`; they name the part.
        signatures: parts of rows of `Signature`.
    """
    from tasks.dedupe.near.pairs import near_pairs

    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with tempfile.TemporaryDirectory() as scratch:
        pairs = near_pairs(
            lambda: _batches(lake, signatures),
            scratch=Path(scratch),
            workers=settings.work_threads or os.cpu_count() or 1,
        )
    uri = f"runs/{job_id}/near/pairs-{contents.sha256[:16]}.parquet"
    return lake.write_part(pairs, uri=uri, table_name="near_pairs")
