"""The `fileorganizer` command: what there is, and how it leaves."""

import sys
from importlib.metadata import version
from typing import Annotated

import structlog
import typer

from cli import (
    dashboards,
    duplicates,
    jobs,
    maintenance,
    models,
    organize,
    remote,
    review,
    search,
    sql,
    stack,
    taxonomy,
    warehouse,
    whatif,
)

app = typer.Typer(
    name="fileorganizer",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Organize, deduplicate and count very large, messy file collections "
        "without ever losing a byte.\n\n"
        "Start with: [bold]fileorganizer organize FOLDER --preview[/]"
    ),
    epilog="Exit status: 0 done, 1 broken, 2 the request is wrong, 3 conflict, 4 busy.",
)

for module in (
    organize,
    jobs,
    duplicates,
    search,
    review,
    taxonomy,
    models,
    maintenance,
    sql,
    whatif,
    dashboards,
    warehouse,
    remote,
    stack,
):
    module.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fileorganizer {version('fileorganizer')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Take the options before any command."""


def main() -> None:
    """Run the command line; standard output is for results, logs go to standard error."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()
