"""What the views read: SQL over the Parquet files of a table, of published runs only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.tables import PARTITION, PUBLISHED_RUNS, WarehouseTable

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}

_PUBLISHED = "run_id IN (SELECT run_id FROM _published_runs WHERE status = 'published')"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """One Parquet file of a table's present version.

    Attributes:
        name: path below the table's folder.
        month: its partition; None where the table has none.
        run_id: the run whose rows it holds, if all are of one; None of a file of several.
    """

    name: str
    month: str | None
    run_id: str | None
    size_bytes: int


def view_sql(
    table: WarehouseTable, files: Iterable[TableFile], addresses: Mapping[str, str]
) -> str:
    """Return the statement that makes the view `_<table>`.

    Files of one run are published as a whole, so only rows of mixed files are asked for their
    run: that costs a quarter of a count over ten million rows. Each month is read by itself, with
    its name as a constant: grouping by a column that DuckDB takes from the names of folders costs
    twice as much. The first branch has no row; it gives all columns their types, and null to those
    that older files have not.

    Args:
        table: which.
        files: those with published rows (`Warehouse.seen_files`).
        addresses: by the files' names, what DuckDB opens each by.
    """
    schema = arrow_schema(table.row)
    typed = ", ".join(f"NULL::{_TYPES[field.type]} AS {field.name}" for field in schema)
    branches = [f"SELECT {typed} WHERE false"]
    for (month, is_mixed), group in groupby(
        sorted(files, key=lambda file: (file.month or "", file.run_id is None)),
        key=lambda file: (file.month, file.run_id is None),
    ):
        listed = ", ".join(quoted(addresses[file.name]) for file in group)
        own = f"*, {quoted(month)} AS {PARTITION}" if month else "*"
        condition = f" WHERE {_PUBLISHED}" if is_mixed and table is not PUBLISHED_RUNS else ""
        options = "union_by_name = true, hive_partitioning = false"
        read = f"read_parquet([{listed}], {options}){condition}"
        branches.append(f"SELECT {own} FROM {read}")  # noqa: S608 - quoted above
    columns = ", ".join(schema.names)
    union = "\nUNION ALL BY NAME ".join(branches)
    return f"CREATE VIEW _{table.name} AS\nSELECT {columns} FROM (\n{union});"


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
