"""A root in which nothing moved, worked out and written batch by batch, whatever its size."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.catalog import CatalogRow
from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import JobKind
from models.domain.table_refs import TableRef
from models.domain.warehouse_rows import DimFile, FactCategory
from tasks.publish.catalog_rows import catalog_rows, links_of
from tasks.publish.files import Known, files_after, index_of, with_categories
from tasks.publish.groups import groups_after
from tasks.publish.history import departed_rows, history_of
from tasks.publish.previous import read_previous, read_versions
from tasks.publish.roots import Change, IndexRefs, members_after
from tasks.publish.whereabouts import Whereabouts
from warehouse.schemas.arrow import arrow_schema, to_table
from warehouse.store.parts import ROW_GROUP_ROWS, Lake

if TYPE_CHECKING:
    import polars as pl

compute: Any = pc  # the stubs know too few of its overloads

NOTHING = arrow_schema(Fingerprint).empty_table()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRoot:
    """What was written of a root.

    Attributes:
        parts: by name: `rows` of CatalogRow, `members` of DuplicateRow, `index` of Fingerprint,
            `dim_file` and `fact_category`.
        members: the groups, as they were written.
        files_bytes: size of all files.
        unread_count: files that could not be read.
    """

    parts: Mapping[str, TableRef]
    members: pa.Table
    files_bytes: int
    unread_count: int


def is_aligned(lake: Lake, refs: IndexRefs) -> bool:
    """Return whether files and categories are row by row of the same keys, ascending."""
    import polars as pl

    if refs.fingerprints.rows != refs.categories.rows:
        return False
    keys = lake.read(refs.fingerprints, columns=["key"])
    others = lake.read(refs.categories, columns=["key"])
    return bool(keys.column("key").equals(others.column("key"))) and (
        pl.Series(keys.column("key")).is_sorted()
    )


def write_in_batches(
    lake: Lake, change: Change, root_id: str, refs: IndexRefs, uris: Mapping[str, str]
) -> WrittenRoot:
    """Work out and write what is published of a root of which everything is known.

    The same rows as `root_after` gives, without holding more than a row group of them.

    Args:
        lake: where the parts and the warehouse are.
        change: the job, which moved nothing; its bases are not needed.
        root_id: the root.
        refs: what indexing gave; `is_aligned`.
        uris: where each part is written, by its name.
    """
    contents = lake.read(refs.fingerprints, columns=["key", "sha256"])
    previous = read_previous(lake, root_id, is_narrow=True)
    members = groups_after(members_after(change, root_id, contents, previous))
    links = links_of(members)
    keys = contents.column("key").combine_chunks()
    departed = _departed(lake, change, root_id, keys, previous.versions)
    unread_count = contents.column("sha256").null_count
    del contents
    table = to_table(members, DuplicateRow)
    schemas = {
        "rows": (CatalogRow, "catalog_rows"),
        "index": (Fingerprint, "fingerprints"),
        "dim_file": (DimFile, "dim_file"),
        "fact_category": (FactCategory, "fact_category"),
    }
    writers = {
        name: lake.part_writer(arrow_schema(row), uri=uris[name], table_name=kind)
        for name, (row, kind) in schemas.items()
    }
    files_bytes = 0
    for files, before, gone in _batches(lake, refs, root_id, keys, (previous.versions, departed)):
        files_bytes += int(compute.sum(files.column("size_bytes")).as_py() or 0)
        history = history_of(change.stamp, root_id, files, before, gone)
        writers["dim_file"].write(history.versions)
        writers["fact_category"].write(history.categories)
        writers["index"].write(index_of(files))
        is_organizing = change.job.kind is JobKind.ORGANIZE
        writers["rows"].write(
            catalog_rows(files, links, previous_root_id=root_id, is_organizing=is_organizing)
        )
    parts = {name: writer.finish() for name, writer in writers.items()}
    parts["members"] = lake.write_part(table, uri=uris["members"], table_name="duplicates")
    return WrittenRoot(
        parts=parts, members=table, files_bytes=files_bytes, unread_count=unread_count
    )


def _batches(
    lake: Lake,
    refs: IndexRefs,
    root_id: str,
    keys: "pa.Array[Any]",
    tables: tuple[pa.Table, pa.Table],
) -> Generator[tuple[pa.Table, pa.Table, pa.Table]]:
    """Yield a row group of files with their categories, and what each table has of its range."""
    import polars as pl

    starts = [keys[at].as_py() for at in range(0, len(keys), ROW_GROUP_ROWS)] or [""]
    ranges = pairwise([None, *starts[1:], None])
    frames = [pl.DataFrame(table) for table in tables]
    nowhere = Whereabouts()
    fingerprints = lake.read_batches(refs.fingerprints)
    categories = lake.read_batches(refs.categories)
    for (first, end), files, decided in zip(ranges, fingerprints, categories, strict=True):
        known = Known(bases={root_id: files}, contents=NOTHING)
        roots = pa.array([root_id] * decided.num_rows, pa.string())
        here = decided.append_column("root_id", roots)
        found = with_categories(files_after(root_id, known, nowhere), [("origin", here)])
        before, gone = (_between(frame, first, end) for frame in frames)
        yield found, before.to_arrow(), gone.to_arrow()


def _between(frame: "pl.DataFrame", first: str | None, end: str | None) -> "pl.DataFrame":
    """Return the rows with keys from `first` on, before `end`."""
    import polars as pl

    if first is not None:
        frame = frame.filter(pl.col("key") >= first)
    return frame if end is None else frame.filter(pl.col("key") < end)


def _departed(
    lake: Lake, change: Change, root_id: str, keys: "pa.Array[Any]", versions: pa.Table
) -> pa.Table:
    """Return the last rows of DimFile of files that are not there any more."""
    before = versions.column("key")
    gone = before.filter(compute.invert(compute.is_in(before, value_set=keys)))
    if not len(gone):
        return arrow_schema(DimFile).empty_table()
    return departed_rows(
        change.stamp, read_versions(lake, root_id, [str(key) for key in gone.to_pylist()])
    )
