"""Prefect edge of the manifest: list a root, and tell what must be read."""

from dataclasses import dataclass

import pyarrow as pa
from prefect import task

from models.domain.errors import MissingError
from models.domain.fingerprint import Fingerprint, index_profile
from models.domain.manifest import ManifestRow
from models.domain.standing import Listing, Standing
from models.domain.storage_roots import RootKind
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.manifest import core
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import arrow_schema
from warehouse.store.parts import Lake, open_lake
from warehouse.store.standing import find_listing, find_standing, keep_listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What listing a root gave.

    Attributes:
        manifest: rows of ManifestRow: every file, sorted by key.
        changed: rows of ManifestRow: those that must be read.
        known: rows of Fingerprint: the others, carried over from the last index.
        problems: rows of ListingProblem: what can be no row.
    """

    manifest: TableRef
    changed: TableRef
    known: TableRef
    problems: TableRef


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_manifest(job_id: str, root_id: str) -> Listed:
    """List a root and compare it with its last index; no file is opened.

    Uploads are listed by the catalog: their storage has trash and uploads under way in it, too.

    A listing that was finished before is found in the lake and not made again.

    Raises:
        MissingError: the root is gone; nothing is taken for deleted.
        StaleError: another folder or disk lies at the root, and it is empty.
        BusyError: the storage does not answer; the listing is tried again.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    found = find_listing(lake, job_id, root_id)
    if found is not None:
        return _listed(found)
    with open_ledger(settings) as ledger:
        job, root = ledger.job(job_id), ledger.root(root_id)
        last = ledger.last_index(root_id)
        is_managed = root.kind is RootKind.MANAGED
        uploads = ledger.known_files(root_id) if is_managed else None
    store = open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url)
    identity = store.identity()
    if uploads is None:
        manifest, problems = core.collect(store.list_columns())
    else:
        manifest, problems = core.of_uploads(uploads)
    if last is not None:
        core.refuse_vanished(
            listed=manifest.num_rows,
            last=last.rows,
            before=_identity_then(lake, last, root_id),
            now=identity,
        )
    folder = f"runs/{job_id}/manifest/{root_id}"
    lake.write_blob(f"{folder}/identity.txt", identity.encode())
    digest = core.digest_of(manifest, problems, identity=identity)
    profile = index_profile(read_gps=job.options.read_gps)
    usable = last if last is not None and f"/{profile}/" in last.uri else None
    standing = None if job.options.verify else find_standing(lake, usable, root_id)
    if standing is not None and standing.listing == digest:
        listing = _unchanged(lake, folder, standing)
    else:
        last = None if usable is None else lake.read(usable, columns=core.COMPARED)
        compared = core.compare(manifest, last, verify=job.options.verify)
        listing = _written(lake, folder, digest, (manifest, problems), compared, usable)
    keep_listing(lake, job_id, root_id, listing)
    return _listed(listing)


def _listed(listing: Listing) -> Listed:
    return Listed(
        manifest=listing.manifest,
        changed=listing.changed,
        known=listing.known,
        problems=listing.problems,
    )


def _unchanged(lake: Lake, folder: str, standing: Standing) -> Listing:
    """Return the listing of a root in which nothing changed: the parts that were made then."""
    nothing = arrow_schema(ManifestRow).empty_table()
    return Listing(
        digest=standing.listing,
        manifest=standing.manifest,
        problems=standing.problems,
        changed=lake.write_part(nothing, uri=f"{folder}/changed.parquet", table_name="manifest"),
        known=standing.fingerprints,
    )


def _written(  # noqa: PLR0917 - where, what was listed, what it was compared with
    lake: Lake,
    folder: str,
    digest: str,
    tables: tuple[pa.Table, pa.Table],
    compared: core.Comparison,
    last: TableRef | None,
) -> Listing:
    """Write a listing, and what came of holding it against the last index."""
    manifest, problems = tables

    def write(table: pa.Table, name: str, table_name: str) -> TableRef:
        return lake.write_part(table, uri=f"{folder}/{name}.parquet", table_name=table_name)

    return Listing(
        digest=digest,
        problems=write(problems, "problems", "listing_problems"),
        changed=write(compared.changed, "changed", "manifest"),
        known=lake.write_batches(
            core.known(() if last is None else lake.read_batches(last), compared.holds),
            arrow_schema(Fingerprint),
            uri=f"{folder}/known.parquet",
            table_name="fingerprints",
        ),
        manifest=write(manifest, "manifest", "manifest"),
    )


def _identity_then(lake: Lake, last: TableRef, root_id: str) -> str | None:
    """Return what lay at the root when the last index was made, where that was kept."""
    try:
        return lake.read_blob(f"runs/{last.job_id}/manifest/{root_id}/identity.txt").decode()
    except MissingError:
        return None
