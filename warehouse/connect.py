"""A DuckDB connection for analysts: views over what was published, and every other door shut."""

from typing import TYPE_CHECKING

from models.settings import Settings
from warehouse.catalog import views_sql
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
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",  # no file, network, ATTACH of a file, COPY, INSTALL, LOAD
    "SET allow_persistent_secrets = false",
    "SET lock_configuration = true",
)


def lake_of_settings() -> Lake:
    """Return the lake that the environment's settings name."""
    settings = Settings()
    return open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)


def connect(lake: Lake | None = None, *, read_only: bool = True) -> "duckdb.DuckDBPyConnection":
    """Return a connection in memory whose views show what the runs have published.

    It shows the state of the moment it is made, whatever is published later. The views read the
    tables through pyarrow, not through DuckDB's own file access, which is shut altogether: any
    folder DuckDB may read it may also write (`COPY TO`, `ATTACH` and `EXPORT` into an allowed
    folder were seen to succeed), and it would show rows of runs that are not published.

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
    for name, table in Warehouse(lake or lake_of_settings()).seen().items():
        connection.register(f"_{name}", table)
    connection.execute(views_sql())
    if read_only:
        for lock in _LOCKS:
            connection.execute(lock)
    return connection
