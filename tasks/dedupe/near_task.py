"""Prefect edge of finding near-duplicates."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task

from models.domain.near import NearMedia
from models.domain.table_refs import TableRef
from models.domain.targets import Target
from models.settings import Settings
from storage.opening import open_store
from tasks.dedupe.calibrations import read_calibration
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.files import texts
from warehouse.store.parts import Lake, open_lake

compute: Any = pc  # the stubs know too few of its overloads


def _batches(lake: Lake, packs: Sequence[TableRef], contents: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the signatures of some contents, each once."""
    wanted = contents["sha256"].combine_chunks()
    seen: set[str] = set()
    for ref in packs:
        packed = lake.read(ref)
        chosen = packed.filter(compute.is_in(packed["sha256"], value_set=wanted))
        is_new = [sha256 not in seen for sha256 in texts(chosen, "sha256")]
        seen.update(texts(chosen, "sha256"))
        yield from chosen.filter(pa.array(is_new, pa.bool_())).to_batches()


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
        signatures: packs of rows of `Signature`, which may hold others, and some twice.
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
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        compared = lake.read(contents)
        groups = near_groups(
            lake.read(fingerprints),
            lake.read(categories),
            compared,
            lambda: _batches(lake, signatures, compared),
            scratch=Path(scratch),
            options=job.options,
            source_url=job.source_url,
            destination_url=job.destination_url,
            target=Target(folds_case=store.folds_case, normalizes_unicode=store.normalizes_unicode),
            thresholds=thresholds,
            decisions=decisions,
            tell=told.__setitem__,
            workers=settings.work_threads or os.cpu_count() or 1,
        )
    asked = "auto" if threshold is None else f"{threshold:.4f}"
    uri = f"runs/{job_id}/near/groups-{contents.sha256[:16]}-{asked}.parquet"
    # Beside the groups, for the receipts of what is removed because of them.
    lake.write_blob(f"{uri}.thresholds.json", json.dumps(told, sort_keys=True).encode())
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
        signatures: packs of rows of `Signature`, which may hold others, and some twice.
    """
    from tasks.dedupe.near.pairs import near_pairs

    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with tempfile.TemporaryDirectory() as scratch:
        compared = lake.read(contents)
        pairs = near_pairs(
            lambda: _batches(lake, signatures, compared),
            scratch=Path(scratch),
            workers=settings.work_threads or os.cpu_count() or 1,
        )
    uri = f"runs/{job_id}/near/pairs-{contents.sha256[:16]}.parquet"
    return lake.write_part(pairs, uri=uri, table_name="near_pairs")
