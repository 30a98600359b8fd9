"""A DuckDB file or script for other tools: the warehouse's views, without any extension."""

import uuid
from pathlib import Path

from models.domain.errors import BrokenError, ForbiddenError
from warehouse.catalog import views_sql
from warehouse.sources import view_sql
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake


def attach_script(lake: Lake) -> str:
    """Return SQL that makes the views in any DuckDB, as the warehouse stands now.

    The views read the Parquet files of this moment's tables: whatever is published later is not in
    them, and once a compaction has cleaned up (a week later), the script has to be made again.

    Args:
        lake: where the warehouse is; on S3 the reader's DuckDB needs `httpfs` and a secret.
    """
    warehouse = Warehouse(lake)
    made = [
        view_sql(
            table,
            files,
            {file.name: f"{warehouse.uri(table.name)}/{file.name}" for file in files},
        )
        for table, files in warehouse.seen_files()
    ]
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
