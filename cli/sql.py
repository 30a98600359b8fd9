"""`sql`: ask the warehouse, read-only."""

import csv
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from cli.output import emit_json, err, fail, out, rows_table
from models.domain.errors import FileOrganizerError, InvalidError
from models.settings import Settings


def _parameters(given: list[str]) -> dict[str, str]:
    """Return `name=value` pairs by name.

    Raises:
        InvalidError: one has no `=`.
    """
    pairs = [each.partition("=") for each in given]
    for name, equals, _value in pairs:
        if not name or not equals:
            raise InvalidError(f"a parameter is name=value, not {name!r}")
    return {name: value for name, _, value in pairs}


def _query(text: str, parameters: dict[str, str]) -> str:
    """Return the SQL: what was given, or the named query of that name."""
    from warehouse.catalog import named_queries

    query = named_queries().get(text.strip())
    if query is None:
        return text
    missing = [name for name in query.parameters if name not in parameters]
    if missing:
        hint = " ".join(f"--param {name}=..." for name in missing)
        raise InvalidError(f"{query.name} needs {hint}")
    return query.sql


def _show_tables(*, as_json: bool) -> None:
    from warehouse.catalog import named_queries, table_docs

    tables, queries = table_docs(), named_queries().values()
    if as_json:
        emit_json(
            {
                "tables": [asdict(table) for table in tables],
                "queries": [asdict(query) for query in queries],
            }
        )
        return
    for table in tables:
        rows = [(column.name, column.type.split("[")[0], column.doc) for column in table.columns]
        out.print(rows_table(f"{table.name}: {table.doc}", ("column", "type", "meaning"), rows))
    rows = [(query.name, ", ".join(query.parameters), query.doc) for query in queries]
    title = "queries by name: fileorganizer sql NAME"
    out.print(rows_table(title, ("name", "parameters", "meaning"), rows))


def _answer(text: str, given: list[str], limit: int, *, as_json: bool, as_csv: bool) -> None:
    from warehouse.asking import ask
    from warehouse.store.parts import open_lake

    settings = Settings()
    parameters = _parameters(given)
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    answer = ask(lake, _query(text, parameters), parameters=parameters, limit=limit)
    if as_json:
        found = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        columns = list(answer.columns)
        emit_json({"columns": columns, "rows": found, "is_cut": answer.is_cut})
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    else:
        rows = [["" if v is None else escape(str(v)) for v in row] for row in answer.rows]
        out.print(rows_table(f"{len(rows):,} rows", answer.columns, rows))
    if answer.is_cut and not as_json:
        err.print(f"only the first {limit:,} rows; --limit N shows more")


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT, or the name of a query (see --tables).")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="List tables, columns and queries by name.")
    ] = False,
    param: Annotated[
        list[str] | None, typer.Option(help="name=value for $name in the query; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 1000,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask the warehouse: read-only SQL (DuckDB) over the history of all runs."""
    try:
        if tables:
            _show_tables(as_json=as_json)
        elif query is None:
            raise InvalidError('say what to ask: fileorganizer sql "SELECT ...", or --tables')
        else:
            _answer(query, param or [], limit, as_json=as_json, as_csv=as_csv)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(sql)
