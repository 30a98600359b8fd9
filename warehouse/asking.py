"""Questions of others: one query, read-only, with errors that teach."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from models.domain.errors import FileOrganizerError, ForbiddenError, InvalidError
from warehouse.catalog import table_docs
from warehouse.connect import connect
from warehouse.store.parts import Lake

if TYPE_CHECKING:
    import duckdb

_READING = frozenset({"SELECT", "EXPLAIN"})
"""Kinds of statements that may run; to DuckDB, FROM, WITH, SHOW and DESCRIBE are SELECT too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query gave.

    Attributes:
        columns: their names, in order.
        rows: (n,) rows of plain Python values.
        is_cut: whether there was more than was asked for.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool


def _reading(sql: str) -> str:
    """Return the one statement, if it only reads.

    Raises:
        InvalidError: it cannot be parsed, or is not one statement.
        ForbiddenError: it does something else than read.
    """
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InvalidError(str(error)) from error
    if len(statements) != 1:
        raise InvalidError(f"one query at a time; this is {len(statements)}")
    kind = str(statements[0].type).rpartition(".")[2]
    if kind not in _READING:
        raise ForbiddenError(f"the warehouse is read-only: SELECT is allowed, {kind} is not")
    return sql


def _ours(error: "duckdb.Error") -> FileOrganizerError:
    """Return DuckDB's error as one of ours, with what to do next."""
    import duckdb

    text = str(error).strip()
    if isinstance(error, duckdb.PermissionException):
        return ForbiddenError(
            f"a query reads the warehouse's tables and nothing else (no file, no network, no "
            f"other database, no extension): {text}"
        )
    if isinstance(error, duckdb.CatalogException) and "Table with name" in text:
        names = ", ".join(table.name for table in table_docs())
        return InvalidError(
            f"{text.splitlines()[0]} There are: {names}. "
            "`fileorganizer sql --tables` describes their columns."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return InvalidError(f"the answer does not fit into memory; ask for less: {text}")
    return InvalidError(text)


def _plain(value: Any) -> Any:
    """Return whole decimals (DuckDB's sums) as integers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def ask(
    lake: Lake, sql: str, *, parameters: Mapping[str, str] | None = None, limit: int = 1000
) -> Answer:
    """Return what one query over the warehouse gives.

    Args:
        lake: where the warehouse is.
        sql: one statement that reads.
        parameters: values of `$name` in it.
        limit: rows at most.

    Raises:
        InvalidError: the query makes no sense; the error says what there is.
        ForbiddenError: it would read or write something else.
    """
    import duckdb

    query = _reading(sql)
    with connect(lake) as connection:
        try:
            result = connection.execute(query, dict(parameters or {}))
            columns = tuple(str(column[0]) for column in result.description)
            batches = result.to_arrow_reader(min(limit + 1, 65_536))
            rows: list[tuple[Any, ...]] = []
            for batch in batches:
                rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
                if len(rows) > limit:
                    break
        except duckdb.Error as error:
            raise _ours(error) from error
    kept = tuple(tuple(_plain(value) for value in row) for row in rows[:limit])
    return Answer(columns=columns, rows=kept, is_cut=len(rows) > limit)
