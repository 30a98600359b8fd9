"""Prefect edge of comparing archives with the files around them."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from prefect import task

from models.domain.archives import (
    ArchiveContent,
    ArchiveListing,
    ArchiveMember,
    ArchiveOverlap,
    Listing,
    unpack_listing,
)
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.dedupe.archives import (
    archive_members,
    archive_overlap,
    compared_contents,
    in_order,
    keys_by_content,
)
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import Lake, open_lake


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def compare_archives(
    job_id: str, fingerprints: TableRef, contents: TableRef, listings: Sequence[TableRef]
) -> dict[str, TableRef]:
    """Say of each archive how much of it lies elsewhere in its root.

    Args:
        job_id: the job.
        fingerprints: rows of `Fingerprint` of the root.
        contents: rows of `ArchiveContent`.
        listings: parts of rows of `ArchiveListing` of the same archives.

    Returns:
        `archives`: rows of `ArchiveOverlap`, the most unpacked first; `archive_members`: rows of
        `ArchiveMember`, by archive and path.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    archives = {row.sha256: row for row in to_rows(lake.read(contents), ArchiveContent)}
    wanted = set(archives)
    for _, listing in _listings(lake, listings):
        wanted |= compared_contents(listing)
    keys = keys_by_content(lake.read(fingerprints), wanted)
    overlaps: list[ArchiveOverlap] = []
    members: list[pa.Table] = [arrow_schema(ArchiveMember).empty_table()]
    for sha256, listing in _listings(lake, listings):
        overlap = archive_overlap(archives[sha256], listing, keys)
        rows = archive_members(archives[sha256], listing, keys, overlap.folder)
        members.append(to_table(rows, ArchiveMember))
        overlaps.append(overlap)
    tables = {
        "archives": to_table(in_order(overlaps), ArchiveOverlap),
        "archive_members": pa.concat_tables(members),
    }
    name = f"{fingerprints.sha256[:16]}-{contents.sha256[:16]}"
    return {
        table: lake.write_part(
            rows, uri=f"runs/{job_id}/archives/{table}-{name}.parquet", table_name=table
        )
        for table, rows in tables.items()
    }


def _listings(lake: Lake, refs: Sequence[TableRef]) -> Iterator[tuple[str, Listing]]:
    """Yield archive and listing, one part in memory at a time."""
    for ref in refs:
        for row in to_rows(lake.read(ref), ArchiveListing):
            yield row.sha256, unpack_listing(row.payload)
