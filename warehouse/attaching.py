"""A DuckDB file or script for other tools: the warehouse's views, without any extension."""

import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from models.domain.errors import BrokenError, ForbiddenError
from warehouse.catalog import views_sql
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.tables import PARTITION, PUBLISHED_RUNS, TABLES, WarehouseTable
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}
_SEEN = "run_id IN (SELECT run_id FROM _published_runs WHERE status = 'published')"


def attach_script(lake: Lake) -> str:
    """Return SQL that makes the views in any DuckDB, as the warehouse stands now.

    The views read the Parquet files of this moment's tables: whatever is published later is not in
    them, and once a compaction has cleaned up (a week later), the script has to be made again.

    Args:
        lake: where the warehouse is; on S3 the reader's DuckDB needs `httpfs` and a secret.
    """
    warehouse = Warehouse(lake)
    # The runs before the tables: what is published by then is there in full.
    tables = sorted(TABLES, key=lambda table: table is not PUBLISHED_RUNS)
    made = [_view(table, warehouse.files(table)) for table in tables]
    head = "-- The warehouse's views; `duckdb -init FILE` opens them."
    return "\n".join([head, "SET TimeZone = 'UTC';", *made, views_sql()])


def write_attachable(lake: Lake, target: Path, *, with_data: bool = False) -> None:
    """Write a DuckDB file with the views, in place of what was there, whole or not at all.

    Args:
        lake: where the warehouse is.
        target: the file; its folder exists.
        with_data: whether the file holds the rows themselves, so that it can be given away;
            otherwise its views read the lake's files.

    Raises:
        ForbiddenError: the file cannot be written there.
        BrokenError: DuckDB cannot write it.
    """
    import duckdb

    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with duckdb.connect(str(temporary)) as connection:
            if with_data:
                for name, table in Warehouse(lake).seen().items():
                    connection.register("incoming", table)
                    connection.execute(f"CREATE TABLE _{name} AS FROM incoming")
                    connection.unregister("incoming")
                connection.execute(views_sql())
            else:
                connection.execute(attach_script(lake))
        temporary.replace(target)
    except duckdb.IOException as error:
        raise ForbiddenError(f"{target} cannot be written: {error}") from error
    except (OSError, duckdb.Error) as error:
        raise BrokenError(f"{target} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _view(table: WarehouseTable, paths: Iterable[str]) -> str:
    """Return the statement that makes `_<table>`, of its files or of no rows."""
    schema = arrow_schema(table.row)
    listed = ", ".join(_quoted(path) for path in paths)
    if not listed:
        columns = ", ".join(f"NULL::{_TYPES[field.type]} AS {field.name}" for field in schema)
        return f"CREATE VIEW _{table.name} AS SELECT {columns} WHERE false;"
    columns = ", ".join(schema.names)
    hive = f", hive_partitioning = true, hive_types = {{'{PARTITION}': VARCHAR}}"
    options = "union_by_name = true" + (hive if table.has_partitions else "")
    condition = "" if table is PUBLISHED_RUNS else f"\nWHERE {_SEEN}"
    return (
        f"CREATE VIEW _{table.name} AS SELECT {columns}\n"
        f"FROM read_parquet([{listed}], {options}){condition};"
    )
