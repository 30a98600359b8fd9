"""Prefect edge of finding near-duplicates."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from prefect import task

from models.domain.table_refs import TableRef
from models.domain.targets import Target
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import open_lake


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
        threshold: smallest similarity ratio; by the collection's size when None.

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

    def parts() -> Iterator[pa.RecordBatch]:
        for ref in signatures:
            yield from lake.read(ref).to_batches()

    with tempfile.TemporaryDirectory() as scratch:
        groups = near_groups(
            lake.read(fingerprints),
            lake.read(categories),
            lake.read(contents),
            parts,
            scratch=Path(scratch),
            options=job.options,
            source_url=job.source_url,
            destination_url=job.destination_url,
            target=Target(folds_case=store.folds_case, normalizes_unicode=store.normalizes_unicode),
            threshold=threshold,
            decisions=decisions,
            workers=settings.work_threads or os.cpu_count() or 1,
        )
    asked = "auto" if threshold is None else f"{threshold:.4f}"
    uri = f"runs/{job_id}/near/groups-{contents.sha256[:16]}-{asked}.parquet"
    return lake.write_part(groups, uri=uri, table_name="near_duplicates")
