"""`warehouse`: its upkeep."""

from pathlib import Path
from typing import Annotated

import typer

from cli.organize import Json
from cli.output import emit_json, err, facts_table, fail, out
from cli.session import open_session
from models.domain.errors import FileOrganizerError
from models.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The warehouse: record days, look after its tables.")


@app.command()
def daily(
    day: Annotated[
        str | None,
        typer.Option(help="YYYY-MM-DD, UTC; all of the last week that are missing unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Record what accounts used, paid and did on days that are over, for the KPIs."""
    try:
        with open_session(quiet=as_json):
            from flows.daily import daily as daily_flow

            recorded = daily_flow(day)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"days": recorded})
        return
    for name, facts in recorded.items():
        out.print(facts_table(name, facts))
    if not recorded:
        err.print("every day of the last week is recorded")


@app.command()
def attach(
    target: Annotated[
        Path | None,
        typer.Argument(help="File to write; `warehouse.duckdb` in the home unless given."),
    ] = None,
    with_data: Annotated[
        bool,
        typer.Option("--with-data", help="Put the rows into it, so that it can be given away."),
    ] = False,
    script: Annotated[
        bool, typer.Option("--script", help="Print SQL for `duckdb -init` instead.")
    ] = False,
) -> None:
    """Make a DuckDB file with the warehouse's views, for the DuckDB CLI and other tools.

    Examples:
        duckdb -readonly $(fileorganizer warehouse attach)
        fileorganizer warehouse attach --script > attach.sql && duckdb -init attach.sql
    """
    from warehouse.attaching import attach_script, write_attachable
    from warehouse.connect import lake_of_settings

    try:
        if script:
            typer.echo(attach_script(lake_of_settings()))
            return
        path = (target or Settings().home_path / "warehouse.duckdb").absolute()
        write_attachable(lake_of_settings(), path, with_data=with_data)
        typer.echo(str(path))
    except FileOrganizerError as error:
        fail(error, as_json=False)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module."""
    parent.add_typer(app, name="warehouse")
