"""Prefect edge of fingerprinting: one batch of files, and all batches together."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prefect import task

from models.domain.fingerprint import Fingerprint, index_profile
from models.domain.jobs import Job
from models.domain.manifest import ManifestRow
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint import core
from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
from tasks.fingerprint.children import parsing_limits, shared_pool
from tasks.fingerprint.signing import LakeSignatures
from tasks.fingerprint.thumbnails import LakeThumbnails
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import Lake, open_lake

LOCAL_THREADS = 4
"""Threads of a batch on disk at most: batches run side by side, one for each core."""
REMOTE_THREADS = 16
"""Threads of a batch on object storage: they wait for answers of some 20 to 50 ms."""
CLOCK_TOLERANCE = timedelta(days=1)
"""A camera's wall clock may be 14 h ahead of UTC and still be right."""


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def fingerprint_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str,
    root_id: str,
    batch: int,
    manifest: TableRef,
    first: int,
    last: int,
    sign: Sequence[str] = (),
) -> TableRef:
    """Read the files of rows [first, last) of a manifest once, and return their fingerprints.

    A batch that was finished before is found in the lake and not made again.

    Args:
        job_id: whose options hold.
        root_id: where the files are.
        batch: number of the batch.
        manifest: rows of `ManifestRow`.
        first: the first of the batch.
        last: the one after its last.
        sign: which of `NearMedia` are signed on the way; still pictures always are.

    Returns:
        (last - first,) rows of Fingerprint, sorted by key.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        MissingError: the root itself is gone.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job, root = ledger.job(job_id), ledger.root(root_id)
    uri = f"{_folder(job, root_id)}/part-{batch:05d}-{first}-{last}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    store = open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url)
    rows = to_rows(lake.read(manifest).slice(first, last - first), ManifestRow)
    signatures = LakeSignatures(lake)
    ports = Ports(
        source=store,
        parser=shared_pool(parsing_limits(settings)),
        thumbnails=LakeThumbnails(lake),
        signatures=signatures,
    )
    wishes = _wishes(job, settings, is_local=store.can_rename)
    made = fingerprint_rows(rows, ports, replace(wishes, sign=frozenset(sign)))
    signatures.save()
    if any(row.sha256 is None for row in made):
        store.identity()  # a root that went away is an error, not many unreadable files
    return lake.write_part(to_table(made, Fingerprint), uri=uri, table_name="fingerprints")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def merge_fingerprints(
    job_id: str, root_id: str, parts: Sequence[TableRef], known: TableRef
) -> TableRef:
    """Return the fingerprints of a whole root, sorted by key: new ones and carried over ones."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
    return _merge(lake, f"{_folder(job, root_id)}/all.parquet", parts, known)


def _merge(lake: Lake, uri: str, parts: Sequence[TableRef], known: TableRef) -> TableRef:
    found = lake.find(uri)
    if found is not None and found.rows == known.rows + sum(part.rows for part in parts):
        return found
    merged = core.merge([lake.read(part) for part in parts], lake.read(known))
    return lake.write_part(merged, uri=uri, table_name="fingerprints")


def _folder(job: Job, root_id: str) -> str:
    """Return where a job's fingerprints are; the profile in it says who may carry them over."""
    profile = index_profile(read_gps=job.options.read_gps)
    return f"runs/{job.id}/fingerprint/{profile}/{root_id}"


def _wishes(job: Job, settings: Settings, *, is_local: bool) -> Wishes:
    """Return what the job asks for. Its start, not the clock, says which dates lie in the future.

    A job that is resumed later so comes to the same rows.
    """
    started = job.created_at or datetime.now(UTC)
    cores = os.cpu_count() or 1
    threads = min(LOCAL_THREADS, cores) if is_local else REMOTE_THREADS
    return Wishes(
        latest=started.astimezone(UTC).replace(tzinfo=None) + CLOCK_TOLERANCE,
        threads=settings.work_threads or threads,
        read_gps=job.options.read_gps,
    )
