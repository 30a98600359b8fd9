"""The warehouse as Polars frames."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.domain.errors import InvalidError
from warehouse.connect import connect, lake_of_settings
from warehouse.schemas.tables import TABLES
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake

if TYPE_CHECKING:
    import polars as pl


def frame(
    query: str, lake: Lake | None = None, *, parameters: Mapping[str, str] | None = None
) -> "pl.DataFrame":
    """Return what a query gives, in memory.

    Args:
        query: SQL over the views, or the name of a view.
        lake: where the warehouse is; the settings' unless given.
        parameters: values of `$name` in the query.
    """
    with connect(lake) as connection:
        sql = query if " " in query.strip() else f"FROM {query.strip()}"
        return connection.execute(sql, dict(parameters or {})).pl()


def scan(table: str, lake: Lake | None = None) -> "pl.LazyFrame":
    """Return a table as published, lazily: only the columns and rows that are asked for are read.

    Args:
        table: one of the tables, not of the views.
        lake: where the warehouse is; the settings' unless given.

    Raises:
        InvalidError: there is no such table.
    """
    import polars as pl
    import pyarrow as pa

    names = [each.name for each in TABLES]
    if table not in names:
        raise InvalidError(f"there is no table {table!r}; one of: {', '.join(names)}")
    seen = Warehouse(lake or lake_of_settings()).seen([table])[table]
    return (
        pl.DataFrame(seen).lazy() if isinstance(seen, pa.Table) else pl.scan_pyarrow_dataset(seen)
    )
