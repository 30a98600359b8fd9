"""A root as it is now, for weighing policies: what the job that indexed it just now left."""

import os
from functools import cache

import pyarrow as pa

from models.domain.duplicates import DuplicateRow
from models.domain.errors import MissingError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.placing import namespace_of
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import Ledger
from tasks.plan.core import needs_contents
from tasks.plan.destination import list_existing, split_existing, target_of, with_known_contents
from tasks.whatif.core import World
from warehouse.connect import connect
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.files import texts
from warehouse.store.parts import Lake, open_lake
from warehouse.store.standing import find_listing

NEAR = "FROM duplicates WHERE root_id = $root AND truth_class <> 'full_hash' ORDER BY group_id, key"


def gather(
    settings: Settings,
    ledger: Ledger,
    job_id: str,
    index: dict[str, TableRef],
    *,
    destination_url: str | None = None,
) -> World:
    """Return the world of a root that a job indexed.

    Args:
        settings: the edge's.
        ledger: what people decided, and what is known of the destination.
        job_id: the job; it indexed its source root and moved nothing.
        index: what it remembered: `fingerprints`, `categories`, `duplicates`.
        destination_url: where files would go; the source itself unless given.

    Raises:
        MissingError: the job listed nothing.
    """
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    job = ledger.job(job_id)
    listing = find_listing(lake, job_id, job.source_root_id)
    if listing is None:
        raise MissingError(f"job {job_id} has listed nothing")
    destination = destination_url or job.source_url
    store = open_store(destination, s3_endpoint_url=settings.s3_endpoint_url)
    problems = lake.read(listing.problems)
    namespace = namespace_of(job.source_url, destination)
    passed_over = [key.rstrip("/") for key in namespace.addresses(texts(problems, "key"))]
    manifest = lake.read(listing.manifest)

    @cache
    def listed() -> pa.Table:
        if namespace.is_same or namespace.below:
            return arrow_schema(Fingerprint).empty_table()
        return list_existing(store, but_below=namespace.prefix)

    @cache
    def with_contents() -> pa.Table:
        threads = settings.work_threads or os.cpu_count() or 1
        known = _last_index(lake, ledger, destination)
        wanting = OrganizeOptions()
        return with_known_contents(store, listed(), manifest, known, wanting, threads=threads)

    def existing(options: OrganizeOptions) -> tuple[pa.Table, tuple[str, ...]]:
        there = with_contents() if needs_contents(options) else listed()
        found, blocked = split_existing(there)
        return found, (*blocked, *passed_over)

    return World(
        source_url=job.source_url,
        destination_url=destination,
        fingerprints=lake.read(index["fingerprints"]),
        categories=lake.read(index["categories"]),
        near=_near(lake, job.source_root_id),
        decisions=ledger.decisions_of(job.account_id),
        target=target_of(store),
        existing=existing,
        problems=listing.problems.rows,
        review_below=settings.review_below,
    )


def _last_index(lake: Lake, ledger: Ledger, url: str) -> pa.Table | None:
    """Return what is known of a destination; asking must not make a root of it."""
    root = next((root for root in ledger.roots() if root.url == url), None)
    last = None if root is None else ledger.last_index(root.id)
    return None if last is None else lake.read(last)


def _near(lake: Lake, root_id: str) -> pa.Table:
    """Return the near groups of a root as they were last told."""
    schema = arrow_schema(DuplicateRow)
    with connect(lake) as connection:
        query = f"SELECT {', '.join(schema.names)} {NEAR}"
        return connection.execute(query, {"root": root_id}).to_arrow_table().cast(schema)
