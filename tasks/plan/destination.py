"""What lies at another destination, as far as a plan must know it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.errors import ConflictError, MissingError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from models.domain.keep import is_below
from models.domain.manifest import ListingProblem, ManifestRow
from models.domain.paths import MAX_PATH_BYTES
from models.domain.targets import Target
from storage.store import Store
from tasks.plan.core import contents_wanted, needs_contents
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.schemas.files import texts

compute: Any = pc  # the stubs know too few of its overloads


def target_of(store: Store) -> Target:
    """Return how a store compares names and what it can hold."""
    flags = {
        "folds_case": store.folds_case,
        "normalizes_unicode": store.normalizes_unicode,
    }
    if store.url.startswith("s3://"):
        return Target(**flags, max_key_bytes=MAX_PATH_BYTES)
    return Target(**flags)


def list_existing(store: Store, *, but_below: str | None = None) -> pa.Table:
    """Return what lies at a destination; nothing, when the destination is not there yet.

    Args:
        store: the destination.
        but_below: the folder of the source, where that lies in the destination.

    Returns:
        (k,) rows of `Fingerprint` without contents, sorted by key. What is no file (a link, a
        socket, a folder that cannot be read) is a row with a `problem` and no version: its name is
        taken and it never gives way.
    """
    rows: list[Fingerprint] = []
    try:
        for page in store.list_pages():
            rows.extend(_row(row) for row in page.rows if not _is_in(row.key, but_below))
            rows.extend(_problem(row) for row in page.problems if not _is_in(row.key, but_below))
    except MissingError:
        return arrow_schema(Fingerprint).empty_table()
    return to_table(sorted(rows, key=lambda row: row.key), Fingerprint)


def _is_in(key: str, folder: str | None) -> bool:
    return folder is not None and is_below(key, folder)


def _row(row: ManifestRow) -> Fingerprint:
    return Fingerprint(**asdict(row))


def _problem(problem: ListingProblem) -> Fingerprint:
    key = problem.key.rstrip("/")
    return Fingerprint(key=key, size_bytes=0, modified_ns=0, version="", problem=problem.reason)


def with_known_contents(
    store: Store,
    existing: pa.Table,
    manifest: pa.Table,
    last: pa.Table | None,
    options: OrganizeOptions,
    *,
    threads: int,
) -> pa.Table:
    """Return what exists with the contents a plan asks for: of files as large as one to place.

    Args:
        store: the destination.
        existing: (k,) rows from `list_existing`.
        manifest: (n,) rows of `ManifestRow`: the source.
        last: the destination's last index, rows of `Fingerprint`; saves reading what is unchanged.
        options: decide whether contents matter at all.
        threads: files hashed at the same time.
    """
    if not needs_contents(options) or not existing.num_rows:
        return existing
    wanted = contents_wanted(existing, manifest.column("size_bytes"))
    wanted = wanted.filter(compute.not_equal(wanted.column("version"), ""))
    known = _from_index(wanted, last)
    unknown = [
        (row.key, row.version) for row in to_rows(wanted, ManifestRow) if row.key not in known
    ]
    known.update(hashed(store, unknown, threads=threads))
    contents = [known.get(key) for key in texts(existing, "key")]
    at = existing.schema.get_field_index("sha256")
    return existing.set_column(at, existing.schema.field(at), pa.array(contents, pa.string()))


def _from_index(wanted: pa.Table, last: pa.Table | None) -> dict[str, str]:
    """Return contents of files whose version is the one indexed."""
    if last is None:
        return {}
    at = compute.index_in(wanted.column("key"), value_set=last.column("key").combine_chunks())
    pairs = zip(
        texts(wanted, "key"),
        texts(wanted, "version"),
        last.column("version").take(at).to_pylist(),
        last.column("sha256").take(at).to_pylist(),
        strict=True,
    )
    return {key: sha256 for key, version, indexed, sha256 in pairs if sha256 and version == indexed}


def hashed(
    store: Store, files: Iterable[tuple[str, str | None]], *, threads: int
) -> dict[str, str]:
    """Return SHA-256 by key; what changed or went away meanwhile is left out.

    Args:
        store: where they lie.
        files: keys, with the version each must have (None: any).
        threads: files read at the same time.
    """

    def read(file: tuple[str, str | None]) -> tuple[str, str | None]:
        key, version = file
        try:
            return key, store.hash(key, expected_version=version).sha256
        except (ConflictError, MissingError):
            return key, None

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        return {key: sha256 for key, sha256 in pool.map(read, files) if sha256 is not None}


def split_existing(existing: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the files of what exists, and the names that are no files."""
    is_file = compute.not_equal(existing.column("version"), "")
    return existing.filter(is_file), tuple(texts(existing.filter(compute.invert(is_file)), "key"))
