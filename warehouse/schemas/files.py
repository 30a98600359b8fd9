"""What several steps ask of a table of files: sorted, with categories, with units."""

from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.units import MARKER_PATTERN, Units, find_units

compute: Any = pc  # the stubs know too few of its overloads

CATEGORY_COLUMNS = ("category", "subcategory", "coarse_category")


def sorted_files(fingerprints: pa.Table, categories: pa.Table | None = None) -> pa.Table:
    """Return one row for each key, sorted by key, with its category.

    Args:
        fingerprints: (n,) rows of `Fingerprint`, any order; of a key given twice the first counts.
        categories: rows of `CategoryRow`, any order; a file without one has nulls.

    Returns:
        (m,) rows: the columns given, then `category`, `subcategory`, `coarse_category`.
    """
    table = fingerprints.combine_chunks()
    if not _is_ascending(table):
        # Sorting one column costs a tenth of `Table.sort_by` on strings of this size.
        table = table.take(compute.sort_indices(table.column("key")))
        keys = table.column("key").combine_chunks()
        is_first = compute.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1))
        table = table.filter(pa.chunked_array([pa.array([True]), is_first])).combine_chunks()
    if categories is None:
        nulls = pa.nulls(table.num_rows, pa.string())
        for name in CATEGORY_COLUMNS:
            table = table.append_column(name, nulls)
        return table
    at = compute.index_in(table.column("key"), value_set=categories.column("key").combine_chunks())
    for name in CATEGORY_COLUMNS:
        table = table.append_column(name, categories.column(name).take(at))
    return table


def _is_ascending(table: pa.Table) -> bool:
    """Return whether the keys are sorted and unique already, as a merged index is."""
    keys = table.column("key").combine_chunks()
    if len(keys) < 2:  # noqa: PLR2004 - one key is always sorted
        return True
    return compute.all(compute.less(keys.slice(0, len(keys) - 1), keys.slice(1))).as_py()


def texts(table: pa.Table, name: str) -> list[str]:
    """Return a column of text without nulls as a list."""
    return cast("list[str]", table.column(name).to_pylist())


def find_table_units(files: pa.Table) -> Units:
    """Return the companions and projects among files sorted by key.

    Args:
        files: (n,) rows from `sorted_files`.
    """
    is_marker = compute.match_substring_regex(files.column("key"), MARKER_PATTERN)
    markers: list[int] = compute.indices_nonzero(is_marker).to_pylist()
    return find_units(texts(files, "key"), markers)
