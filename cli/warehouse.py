"""`warehouse`: its upkeep."""

from typing import Annotated

import typer

from cli.organize import Json
from cli.output import emit_json, err, facts_table, fail, out
from cli.session import open_session
from models.domain.errors import FileOrganizerError

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


def register(parent: typer.Typer) -> None:
    """Add the commands of this module."""
    parent.add_typer(app, name="warehouse")
