"""A DuckDB connection for analysts: views over what was published, and every other door shut."""

import atexit
from typing import TYPE_CHECKING
from weakref import WeakSet

from models.settings import Settings
from warehouse.catalog import views_sql
from warehouse.reading import SCHEME, LakeFile, LakeFiles
from warehouse.sources import view_sql
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake, open_lake

if TYPE_CHECKING:
    import duckdb

_CONFIG: dict[str, str] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # a query never reads a variable of the program
    "temp_directory": "",  # nothing is spilled to disk: DuckDB may write wherever it may spill
}
_LOCKS = (
    f"SET allowed_directories = ['{SCHEME}://']",
    "SET enable_external_access = false",  # no other file, network, ATTACH, COPY, LOAD
    "SET allow_persistent_secrets = false",
    "SET lock_configuration = true",
)


_open_connections: "WeakSet[duckdb.DuckDBPyConnection]" = WeakSet()


@atexit.register
def _close_connections() -> None:
    """Close what is open before the interpreter leaves.

    A query that was interrupted (Ctrl-C) reads on for a moment on threads of DuckDB's. One that
    asked the leaving interpreter for bytes would be ended in the middle of C++, which aborts the
    process (seen in 5 of 5); closing waits for them.
    """
    for connection in list(_open_connections):
        connection.interrupt()
        connection.close()


def lake_of_settings() -> Lake:
    """Return the lake that the environment's settings name."""
    settings = Settings()
    return open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)


def connect(lake: Lake | None = None, *, read_only: bool = True) -> "duckdb.DuckDBPyConnection":
    """Return a connection in memory whose views show what the runs have published.

    It shows the state of the moment it is made, whatever is published later. The views read the
    files of that moment, each of which DuckDB knows by a number (`warehouse.reading`); its own
    access to files is shut altogether.

    A connection is for programs: SQL of others goes through `warehouse.asking.ask`, which refuses
    besides what these locks do not know (functions with effects).

    Args:
        lake: where the warehouse is, the settings' unless given; an empty one gives views without
            rows.
        read_only: whether queries are confined to the views. Without, DuckDB's own file access is
            open, for exports by the lake's owner; never for SQL of others.
    """
    import duckdb

    connection = duckdb.connect(config=dict(_CONFIG))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    _make_tables(connection, Warehouse(lake or lake_of_settings()))
    connection.execute(views_sql())
    if read_only:
        for lock in _LOCKS:
            connection.execute(lock)
    return connection


def _make_tables(connection: "duckdb.DuckDBPyConnection", warehouse: Warehouse) -> None:
    """Make the views of the tables as published."""
    listed: dict[str, LakeFile] = {}
    made: list[str] = []
    for table, files in warehouse.seen_files():
        arrow = warehouse.arrow_files(table) if files else None
        addresses = {file.name: f"{SCHEME}://{len(listed) + n}" for n, file in enumerate(files)}
        for file in files:
            entry = LakeFile(files=arrow, path=file.name, size_bytes=file.size_bytes)
            listed[addresses[file.name]] = entry
        made.append(view_sql(table, files, addresses))
    connection.register_filesystem(LakeFiles(listed))
    _open_connections.add(connection)
    for statement in made:
        connection.execute(statement)
