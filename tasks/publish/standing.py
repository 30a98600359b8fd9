"""What a job that moved nothing need not publish again, told by the identity of what it found."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.catalog import CatalogRow
from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.standing import Standing
from models.domain.table_refs import TableRef
from models.domain.warehouse_rows import DimFile, FactCategory
from tasks.publish.ports import PublishLedger
from tasks.publish.roots import IndexRefs
from warehouse.schemas.arrow import arrow_schema
from warehouse.store.parts import Lake
from warehouse.store.standing import find_listing, find_standing

PUBLISHING = 1
"""Raised whenever equal files would be published as other rows by the same release."""


@cache
def recipe() -> str:
    """Return a digest of how files become rows of the catalog and of the warehouse.

    Another release, or another column, and everything is published again.
    """
    digest = hashlib.sha256(f"{PUBLISHING} {version('fileorganizer')}".encode())
    for row in (CatalogRow, DuplicateRow, Fingerprint, DimFile, FactCategory):
        digest.update(arrow_schema(row).serialize())
    return digest.hexdigest()


def still_standing(
    lake: Lake, ledger: PublishLedger, root_id: str, refs: IndexRefs, *, profile: str
) -> Standing | None:
    """Return what holds of a root, if publishing what was found there would change nothing.

    That is when indexing gave the very parts that were published last, by the recipe of today, and
    the catalog holds as many files and bytes as it was given then. An index of another profile is
    replaced even where it says the same, since it is not carried over.
    """
    found = find_standing(lake, ledger.last_index(root_id), root_id)
    if refs.near is not None or found is None:
        return None
    if found.recipe != recipe() or f"/{profile}/" not in found.index.uri:
        return None
    before = (found.fingerprints, found.categories, found.duplicates)
    now = (refs.fingerprints, refs.categories, refs.duplicates)
    if [each.sha256 for each in before] != [each.sha256 for each in now]:
        return None
    held = ledger.catalog_counts(root_id)
    if (held["files"], held["bytes"]) != (found.rows.rows, found.files_bytes):
        return None
    return found


def relisted(lake: Lake, job_id: str, root_id: str, standing: Standing) -> Standing | None:
    """Return a standing with the listing of a job, None where it lists the same.

    A listing may differ in what does not count, as a disk's number after a restart: the next one
    is compared with how it is now.
    """
    listing = find_listing(lake, job_id, root_id)
    if listing is None or listing.digest == standing.listing:
        return None
    return replace(
        standing,
        listing=listing.digest,
        manifest=listing.manifest,
        problems=listing.problems,
    )


def bytes_of(files: pa.Table) -> int:
    """Return the size of all files, rows with `size_bytes`."""
    return int(pc.sum(files.column("size_bytes")).as_py() or 0)


def standing_of(
    lake: Lake,
    job_id: str,
    root_id: str,
    refs: IndexRefs,
    *,
    published: Mapping[str, TableRef],
    files_bytes: int,
) -> Standing | None:
    """Return what holds of a root after a job that moved nothing in it and read every file.

    None where the listing of the job was another one, or is not known.

    Args:
        lake: where the parts are.
        job_id: the job.
        root_id: the root, of which `published` is all there is.
        refs: what indexing it gave.
        published: the parts `rows`, `members` and `index`.
        files_bytes: size of all files.
    """
    listing = find_listing(lake, job_id, root_id)
    if listing is None or published["index"].rows != listing.manifest.rows:
        return None
    return Standing(
        listing=listing.digest,
        recipe=recipe(),
        manifest=listing.manifest,
        problems=listing.problems,
        fingerprints=refs.fingerprints,
        categories=refs.categories,
        duplicates=refs.duplicates,
        rows=published["rows"],
        members=published["members"],
        index=published["index"],
        files_bytes=files_bytes,
    )
