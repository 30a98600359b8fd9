"""What is new since the last index: pure, over whole tables."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from models.domain.errors import StaleError
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ListingProblem, ManifestRow
from storage.store import ListingColumns
from warehouse.schemas.arrow import arrow_schema, to_table

IDENTITY = ("key", "size_bytes", "modified_ns", "version", "inode")
"""Equal in all of these, a file is the one that was read (DESIGN D6). A null inode equals null."""

COLLECT_ROWS = 10_000
"""Rows of a listing kept as Python objects at once: some 5 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A listing held against the last index.

    Attributes:
        changed: (n,) rows of ManifestRow that must be read, sorted by key.
        known: (m,) rows of Fingerprint that are carried over, sorted by key; n + m is the listing.
        vanished: how many files of the last index are not listed any more.
    """

    changed: pa.Table
    known: pa.Table
    vanished: int


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
        last: (m,) rows of Fingerprint of the last index; None when there is none that counts.
        verify: read every file again, whatever the listing says.
    """
    listing = _sorted(listing)
    if last is None or not last.num_rows:
        return Comparison(changed=listing, known=to_table([], Fingerprint), vanished=0)
    vanished = last.num_rows - _count_in(last, listing, ["key"])
    if verify:
        return Comparison(changed=listing, known=to_table([], Fingerprint), vanished=vanished)
    last = _sorted(_hashed(last))
    changed = listing.filter(_is_in(listing, last, IDENTITY, negate=True))
    known = last.filter(_is_in(last, listing, IDENTITY))
    return Comparison(
        changed=_as(changed, ManifestRow), known=_as(known, Fingerprint), vanished=vanished
    )


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


def _hashed(last: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    return last.filter(pc.is_valid(last.column("sha256")))


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


def _as(table: pa.Table, row_type: type) -> pa.Table:
    return table.cast(arrow_schema(row_type))


def _sorted(table: pa.Table) -> pa.Table:
    """Return rows by key; a listing that is in order already is left as it is."""
    import polars as pl

    keys = pl.Series(table.column("key"))
    if keys.is_sorted():
        return table
    return table.sort_by("key")
