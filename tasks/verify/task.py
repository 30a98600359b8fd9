"""Prefect edge of verifying: what is recorded, a batch of it read again, and the verdicts."""

import os
from collections.abc import Sequence

from prefect import task

from models.domain.errors import MissingError
from models.domain.fingerprint import Fingerprint
from models.domain.table_refs import TableRef
from models.domain.verification import VerifiedRow
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from tasks.verify import core
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def files_to_verify(job_id: str, root_id: str) -> TableRef:
    """Return the newest fingerprints of a root; none where it was never indexed.

    Returns:
        (n,) rows of Fingerprint, sorted by key.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        last = ledger.last_index(root_id)
    if last is not None:
        return last
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    empty = arrow_schema(Fingerprint).empty_table()
    uri = f"runs/{job_id}/verify/none.parquet"
    return lake.write_part(empty, uri=uri, table_name="fingerprints")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def verify_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str, root_id: str, batch: int, files: TableRef, first: int, last: int
) -> TableRef:
    """Read the files of rows [first, last) again and return the verdicts.

    A batch that was finished before is found in the lake and not read again.

    Returns:
        At most (last - first,) rows of VerifiedRow, sorted by key.

    Raises:
        MissingError: the root itself is gone.
        BusyError: the storage does not answer; the batch is tried again.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    uri = f"runs/{job_id}/verify/{root_id}/part-{batch:05d}-{first}-{last}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
    recorded = to_rows(lake.read(files).slice(first, last - first), Fingerprint)
    threads = settings.work_threads or os.cpu_count() or 1
    with open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url) as store:
        rows = core.verified(store, recorded, threads=threads)
    return lake.write_part(to_table(rows, VerifiedRow), uri=uri, table_name="verified")


@task
def summarize_verification(job_id: str, parts: Sequence[TableRef]) -> dict[str, int]:
    """Return the number of files by verdict, every verdict named.

    Raises:
        MissingError: a part is gone from the lake.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    counts = core.counted([])
    for part in parts:
        if f"/{job_id}/" not in part.uri:
            raise MissingError(f"{part.uri} is no part of job {job_id}")
        for verdict, count in core.counted(to_rows(lake.read(part), VerifiedRow)).items():
            counts[verdict] += count
    return counts
