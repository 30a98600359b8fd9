"""How the command speaks: one JSON document on standard output, or rich text; errors that teach."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.domain.errors import EXIT_CODES, FileOrganizerError, Kind

out = Console()
"""Results: what a pipe should get."""

err = Console(stderr=True)
"""Progress, hints and errors."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(size_bytes: float) -> str:
    """Return a size for people; 1 GB is 10^9 bytes."""
    value = float(size_bytes)
    for unit in _UNITS:
        if abs(value) < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - decimal prefixes
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def emit_json(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a `--json` call."""
    sys.stdout.write(json.dumps(document, default=_plain, ensure_ascii=False, indent=2) + "\n")


def facts_table(title: str, facts: Mapping[str, Any]) -> Table:
    """Return facts as a table of two columns."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in facts.items():
        if value is None or value == "":
            continue
        text = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " "), escape(text))
    return table


def rows_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return rows as a table."""
    table = Table(title=title, title_justify="left")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    return table


def fail(error: FileOrganizerError, *, as_json: bool) -> NoReturn:
    """Tell the error and leave with the exit status of its kind.

    Raises:
        typer.Exit: always.
    """
    if as_json:
        emit_json({"error": {"kind": str(error.kind), "message": str(error)}})
    else:
        err.print(f"[bold red]error[/] ({error.kind}): ", end="", highlight=False)
        err.print(str(error), markup=False, highlight=False)
    raise typer.Exit(EXIT_CODES.get(error.kind, EXIT_CODES[Kind.BROKEN]))
