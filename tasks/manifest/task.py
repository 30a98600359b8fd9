"""Prefect edge of the manifest: list a root, and tell what must be read."""

from dataclasses import dataclass

from prefect import task

from models.domain.errors import MissingError
from models.domain.fingerprint import index_profile
from models.domain.table_refs import TableRef
from models.settings import Settings
from storage.opening import open_store
from tasks.ledger.ledger import open_ledger
from tasks.manifest import core
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import Lake, open_lake


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

    A listing that was finished before is found in the lake and not made again.

    Raises:
        MissingError: the root is gone; nothing is taken for deleted.
        StaleError: another folder or disk lies at the root, and it is empty.
        BusyError: the storage does not answer; the listing is tried again.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    folder = f"runs/{job_id}/manifest/{root_id}"
    found = _find(lake, folder)
    if found is not None:
        return found
    with open_ledger(settings) as ledger:
        job, root = ledger.job(job_id), ledger.root(root_id)
        last = ledger.last_index(root_id)
    store = open_store(root.url, s3_endpoint_url=settings.s3_endpoint_url)
    identity = store.identity()
    manifest, problems = core.collect((page.rows, page.problems) for page in store.list_pages())
    if last is not None:
        core.refuse_vanished(
            listed=manifest.num_rows,
            last=last.rows,
            before=_identity_then(lake, last, root_id),
            now=identity,
        )
    profile = index_profile(read_gps=job.options.read_gps)
    usable = lake.read(last) if last is not None and f"/{profile}/" in last.uri else None
    compared = core.compare(manifest, usable, verify=job.options.verify)
    lake.write_blob(f"{folder}/identity.txt", identity.encode())
    tables = {
        "problems": (problems, "listing_problems"),
        "changed": (compared.changed, "manifest"),
        "known": (compared.known, "fingerprints"),
        "manifest": (manifest, "manifest"),
    }
    refs = {
        name: lake.write_part(table, uri=_uri(folder, name), table_name=table_name)
        for name, (table, table_name) in tables.items()
    }
    return Listed(**refs)


def _uri(folder: str, name: str) -> str:
    return f"{folder}/{name}.parquet"


def _find(lake: Lake, folder: str) -> Listed | None:
    """Return a finished listing; `manifest` is written last and so stands for all."""
    refs = {name: lake.find(_uri(folder, name)) for name in Listed.__slots__}
    complete = {name: ref for name, ref in refs.items() if ref is not None}
    return Listed(**complete) if len(complete) == len(refs) else None


def _identity_then(lake: Lake, last: TableRef, root_id: str) -> str | None:
    """Return what lay at the root when the last index was made, where that was kept."""
    job_id = last.uri.split("/")[1]
    try:
        return lake.read_blob(f"runs/{job_id}/manifest/{root_id}/identity.txt").decode()
    except MissingError:
        return None
