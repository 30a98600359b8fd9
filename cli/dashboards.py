"""`dashboards`: the warehouse as pages, in a browser."""

import webbrowser
from typing import Annotated

import typer

from cli.output import emit_json, err, fail, out
from models.domain.errors import FileOrganizerError


def dashboards(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than 127.0.0.1 can be reached by all.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address as one JSON document.")
    ] = False,
) -> None:
    """Show storage, duplicates, jobs, KPIs and data quality in a browser; Ctrl-C stops.

    The address holds a token that works once. Nothing else needs to run: the pages read the lake.
    """
    from dashboards.analytics.server import serve

    def announce(address: str) -> None:
        if as_json:
            emit_json({"address": address})
        else:
            out.print(f"dashboards: {address}", soft_wrap=True, highlight=False)
            err.print("[dim]the address works once; Ctrl-C stops[/]")
        if browser:
            webbrowser.open(address)

    try:
        serve(host=host, port=port, announce=announce)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(dashboards)
