"""What is new since the last index: pure, over whole tables."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.domain.errors import StaleError
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ListingProblem, ManifestRow
from storage.store import ListingColumns
from warehouse.schemas.arrow import arrow_schema, to_table

compute: Any = pc  # the stubs know too few of its overloads

IDENTITY = ("key", "size_bytes", "modified_ns", "version", "inode")
"""Equal in all of these, a file is the one that was read (DESIGN D6). A null inode equals null."""

COLLECT_ROWS = 10_000
"""Rows of a listing kept as Python objects at once: some 5 MB."""


COMPARED = (*IDENTITY, "sha256")
"""Columns of the last index that a comparison reads: a third of its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A listing held against the last index.

    Attributes:
        changed: (n,) rows of ManifestRow that must be read, sorted by key.
        holds: (m,) which rows of the last index are carried over; those and n are the listing.
        vanished: how many files of the last index are not listed any more.
    """

    changed: pa.Table
    holds: "pa.Array[Any]"
    vanished: int


def of_uploads(known: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return live uploads as the rows and the problems of a listing.

    Args:
        known: (n,) rows of `KnownFile`, sorted by key.

    Returns:
        (n,) rows of ManifestRow, and no row of ListingProblem.
    """
    schema, count = arrow_schema(ManifestRow), known.num_rows
    unknown = {
        "device": pa.nulls(count, pa.int64()),
        "inode": pa.nulls(count, pa.int64()),
        "link_count": pa.array(np.ones(count, np.int64)),
    }
    columns: dict[str, Any] = {n: unknown[n] if n in unknown else known[n] for n in schema.names}
    rows = pa.table(columns).cast(schema).combine_chunks()
    return rows, to_table([], ListingProblem)


def collect(pages: Iterable[ListingColumns]) -> tuple[pa.Table, pa.Table]:
    """Return the rows and the problems of a listing's pages as two tables, each sorted by key.

    Pages become Arrow columns as they come, so a million files take some 200 MB, not gigabytes.

    Returns:
        (n,) rows of ManifestRow, and (p,) rows of ListingProblem.
    """
    schema = arrow_schema(ManifestRow)
    tables = [schema.empty_table()]
    problems: list[ListingProblem] = []
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}

    def to_arrow() -> None:
        tables.append(pa.Table.from_pydict(columns, schema=schema))
        for values in columns.values():
            values.clear()

    for page in pages:
        for name, values in columns.items():
            values.extend(getattr(page, name))
        problems += page.problems
        if len(columns["key"]) >= COLLECT_ROWS:
            to_arrow()
    to_arrow()
    listing = pa.concat_tables(tables).combine_chunks()
    return _sorted(listing), _sorted(to_table(problems, ListingProblem))


def digest_of(manifest: pa.Table, problems: pa.Table, *, identity: str) -> str:
    """Return what a listing says in one word: equal listings of one root have equal digests.

    Args:
        manifest: (n,) rows of ManifestRow, sorted by key.
        problems: (p,) rows of ListingProblem, sorted by key.
        identity: what lies at the root.
    """
    digest = hashlib.sha256(identity.encode())
    for table in (manifest, problems):
        for batch in table.combine_chunks().to_batches():
            digest.update(batch.serialize())
        digest.update(f"\n{table.num_rows}\n".encode())
    return digest.hexdigest()


def compare(listing: pa.Table, last: pa.Table | None, *, verify: bool) -> Comparison:
    """Return which files must be read, and which fingerprints hold.

    A file that could not be read last time is read now; any difference in `IDENTITY`, an inode or
    version among them, means reading again.

    Args:
        listing: (n,) rows of ManifestRow, any order.
        last: (m,) rows of Fingerprint of the last index, or of `COMPARED` columns of them, any
            order; None when there is none that counts.
        verify: read every file again, whatever the listing says.
    """
    listing = _sorted(listing)
    if last is None or not last.num_rows:
        return Comparison(changed=listing, holds=pa.array([], pa.bool_()), vanished=0)
    vanished = last.num_rows - _count_in(last, listing, ["key"])
    if verify:
        nothing = pa.array(np.zeros(last.num_rows, dtype=bool))
        return Comparison(changed=listing, holds=nothing, vanished=vanished)
    was_read = compute.is_valid(last.column("sha256"))
    holds = compute.and_(_is_in(last, listing, IDENTITY), was_read)
    changed = listing.filter(_is_in(listing, last.filter(was_read), IDENTITY, negate=True))
    return Comparison(
        changed=changed.cast(arrow_schema(ManifestRow)),
        holds=holds.combine_chunks() if isinstance(holds, pa.ChunkedArray) else holds,
        vanished=vanished,
    )


def known(last: Iterable[pa.Table], holds: "pa.Array[Any]") -> Iterator[pa.Table]:
    """Yield the fingerprints that hold, batch by batch, in the order of the last index.

    Args:
        last: batches of the (m,) rows of Fingerprint that were compared.
        holds: (m,) from the comparison.
    """
    schema = arrow_schema(Fingerprint)
    first = 0
    for batch in last:
        yield batch.filter(holds.slice(first, batch.num_rows)).cast(schema)
        first += batch.num_rows


def refuse_vanished(*, listed: int, last: int, before: str | None, now: str) -> None:
    """Refuse a root that lists nothing because it is not there: an unmounted disk leaves a folder.

    Args:
        listed: files listed now.
        last: files of the last index.
        before: what lay at the root then; None when it was not written down.
        now: what lies there now.

    Raises:
        StaleError: the root is empty, was not, and is another folder or file system than it was.
    """
    if not listed and last and before is not None and before != now:
        raise StaleError(
            f"the root is empty and had {last} files: its disk is not mounted, or another one is; "
            "nothing was changed. Mount it and try again"
        )


def _is_in(
    table: pa.Table, other: pa.Table, names: Sequence[str], *, negate: bool = False
) -> "pa.Array[Any]":
    """Return for each row whether its equal in some columns is in the other table.

    Only those columns are joined: the wide rows are neither copied nor hashed.
    """
    import polars as pl

    mine = pl.DataFrame(table.select(list(names))).with_row_index("at")
    theirs = pl.DataFrame(other.select(list(names)))
    found = mine.join(theirs, on=list(names), how="semi", nulls_equal=True).get_column("at")
    mask = pl.zeros(table.num_rows, dtype=pl.Boolean, eager=True).scatter(found, values=True)
    return (~mask if negate else mask).to_arrow()


def _count_in(table: pa.Table, other: pa.Table, names: Sequence[str]) -> int:
    import polars as pl

    mine = pl.DataFrame(table.select(list(names)))
    theirs = pl.DataFrame(other.select(list(names)))
    return mine.join(theirs, on=list(names), how="semi").height


def _sorted(table: pa.Table) -> pa.Table:
    """Return rows by key; a listing that is in order already is left as it is."""
    import polars as pl

    keys = pl.Series(table.column("key"))
    if keys.is_sorted():
        return table
    return table.sort_by("key")
