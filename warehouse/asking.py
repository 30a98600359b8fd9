"""Questions of others: one query, read-only, with errors that teach."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from models.domain.errors import FileOrganizerError, ForbiddenError, InvalidError
from warehouse.catalog import FUNCTIONS, table_docs
from warehouse.connect import connect
from warehouse.store.parts import Lake

if TYPE_CHECKING:
    import duckdb

_READING = frozenset({"SELECT", "EXPLAIN"})
"""Kinds of statements that may run; to DuckDB, FROM, WITH, SHOW and DESCRIBE are SELECT too."""

_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?", re.IGNORECASE)

_SOURCES = frozenset(
    {
        *(call.partition("(")[0] for call, _ in FUNCTIONS),
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_tables",
        "duckdb_views",
        "generate_series",
        "json_each",
        "json_tree",
        "pg_timezone_names",
        "range",
        "repeat",
        "summary",
        "unnest",
    }
)
"""Functions a query may select from. DuckDB has others that are no reading at all and that its
locks do not know: `FROM enable_logging(storage = 'file', ...)` passes as a SELECT and ends the
whole process with the next query, `enable_profiling` sets where to write, `query` and
`json_execute_serialized_sql` carry SQL that nobody has looked at (seen with 1.5.4)."""


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


def _sources(node: Any) -> Iterator[str]:
    """Yield the names of the functions that a serialized query selects from."""
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"]["function_name"]).lower()
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _sources(child)


def _refuse_sources(connection: "duckdb.DuckDBPyConnection", query: str) -> None:
    """Refuse a query that selects from a function which is not for reading.

    Raises:
        ForbiddenError: it does, or nobody can tell.
    """
    statement = _EXPLAIN.sub("", query, count=1) if _EXPLAIN.match(query) else query
    found = connection.execute("SELECT json_serialize_sql($q)", {"q": statement}).fetchone()
    tree = json.loads(found[0]) if found else {"error": True}
    if tree["error"]:
        raise ForbiddenError(f"the warehouse is read-only: {tree.get('error_message')}")
    refused = sorted(set(_sources(tree)) - _SOURCES)
    if refused:
        raise ForbiddenError(f"{_ONLY_TABLES}: {', '.join(refused)}() is refused")


_ONLY_TABLES = (
    "a query reads the warehouse's tables and nothing else (no file, no network, no other "
    "database, no extension)"
)


def _ours(error: "duckdb.Error") -> FileOrganizerError:
    """Return DuckDB's error as one of ours, with what to do next."""
    import duckdb

    text = str(error).strip()
    if isinstance(error, duckdb.PermissionException):
        return ForbiddenError(f"{_ONLY_TABLES}: {text}")
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
            _refuse_sources(connection, query)
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
