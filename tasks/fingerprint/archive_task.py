"""Prefect edges of looking into archives: which there are, and one batch of them."""

from dataclasses import dataclass, replace
from typing import Any

from prefect import task

from models.domain.archives import ArchiveContent, ArchiveListing
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.archive_listings import (
    LakeListings,
    archive_contents,
    batches_of,
    list_archives,
)
from tasks.fingerprint.children import Limits, parsing_limits, shared_pool
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake

MOST_BATCHES = 1000
"""Task runs in one flow run (DESIGN D4)."""


def archive_limits(settings: Settings) -> Limits:
    """Return what a child may use for an archive, of which it sees one only.

    A child that met its memory limit stays short of memory, and a listing is kept for good: it may
    not depend on which archive came before.
    """
    return replace(parsing_limits(settings), cpu_s=settings.archive_cpu_s, files=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """The archives of a root, and how they are shared among tasks.

    Attributes:
        contents: rows of `ArchiveContent`.
        ranges: [first, last) rows of each batch.
    """

    contents: TableRef
    ranges: list[tuple[int, int]]


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def find_archives(job_id: str, fingerprints: TableRef) -> Archives:
    """Return the archives of an indexed root, one for each content."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    table = archive_contents(lake.read(fingerprints))
    uri = f"runs/{job_id}/archives/contents-{fingerprints.sha256[:16]}.parquet"
    ref = lake.write_part(table, uri=uri, table_name="archive_contents")
    sizes: list[Any] = table["size_bytes"].to_pylist()
    return Archives(contents=ref, ranges=batches_of(sizes, most=MOST_BATCHES))


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_archive_batch(  # noqa: PLR0917 - two ids and a range of rows, as flows name them
    job_id: str, root_id: str, batch: int, contents: TableRef, first: int, last: int
) -> TableRef:
    """Return the listings of archives [first, last); what was listed before is not read again.

    Returns:
        (last - first,) rows of `ArchiveListing`, sorted by content.

    Raises:
        BusyError: the storage is occupied; the batch is tried again.
        BrokenError: no parsing child can be started.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    uri = f"runs/{job_id}/archives/{contents.sha256[:16]}/part-{batch:05d}-{first}-{last}.parquet"
    found = lake.find(uri)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
    limits = archive_limits(settings)
    with open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url) as store:
        rows = list_archives(
            to_rows(lake.read(contents).slice(first, last - first), ArchiveContent),
            source=store,
            parser=shared_pool(limits),
            kept=LakeListings(lake),
            cpu_s=settings.archive_cpu_s,
            threads=limits.children,
        )
    return lake.write_part(to_table(rows, ArchiveListing), uri=uri, table_name="archive_listings")
