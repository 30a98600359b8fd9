"""`duplicates decide` and `duplicates decisions`: what a person knows better than any rule."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.organize import Json
from cli.output import emit_json, err, fail, out, rows_table
from cli.session import Session, open_session
from models.domain.decisions import Decision, DecisionKind, keep, not_duplicate
from models.domain.errors import FileOrganizerError, InvalidError, MissingError
from storage.opening import canonical_url, local_path, open_store

PAIR = 2
"""Files of a decision that two contents are different."""


def key_below(url: str, text: str) -> str:
    """Return the path below a root of what a person typed: such a path, or a whole one.

    Args:
        url: canonical URL of the root.
        text: a path below it, an absolute path into it, or the URL of a file in it.
    """
    key = text.removeprefix(f"{url}/")
    if url.startswith("file://"):
        key = key.removeprefix(f"{local_path(url)}/")
    return key.removeprefix("./")


def _decision(
    session: Session, source: str, files: list[str], kept: str | None, note: str
) -> Decision:
    """Read the files that were named, and return what was decided of their contents."""
    url = canonical_url(source)
    with open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url) as store:
        keys = [key_below(url, text) for text in files]
        if kept is None:
            return not_duplicate(*(store.hash(key).sha256 for key in keys), note=note)
        key = key_below(url, kept)
        return keep(store.hash(key).sha256, key, note=note)


def decide(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    files: Annotated[
        list[str] | None, typer.Argument(help="The two files that --not-duplicate tells apart.")
    ] = None,
    is_apart: Annotated[
        bool, typer.Option("--not-duplicate", help="The two files are different, alike or not.")
    ] = False,
    kept: Annotated[
        str | None, typer.Option("--keep", help="The file that stays whatever the rules say.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "",
    undecide: Annotated[
        bool, typer.Option("--take-back", help="Forget this decision instead of making it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say that two files are no duplicates, or that one file stays. Touches no file.

    A decision belongs to the contents, not to the names: it holds after files were renamed or
    moved, and in every other folder or bucket. Where several files hold the kept content, the one
    that was named stays, or else one of the same name.

    Examples:
        fileorganizer duplicates decide ~/Photos red.jpg white.jpg --not-duplicate
        fileorganizer duplicates decide ~/Photos --keep albums/wedding/01.jpg --note "printed"
        fileorganizer duplicates decide ~/Photos red.jpg white.jpg --not-duplicate --take-back
    """
    try:
        named = files or []
        if is_apart is (kept is not None) or len(named) != (PAIR if is_apart else 0):
            raise InvalidError("give FILE_A FILE_B --not-duplicate, or --keep FILE")
        with open_session(quiet=as_json) as session:
            decision = _decision(session, source, named, kept, note)
            account = session.ledger.local_account()
            if undecide:
                session.ledger.take_back(account, decision)
            else:
                session.ledger.decide(account, decision)
        if as_json:
            emit_json({"decision": _document(decision), "taken_back": undecide})
        else:
            out.print("taken back" if undecide else "decided", f"[bold]{decision.name}[/]")
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _document(decision: Decision) -> dict[str, Any]:
    document = asdict(decision)
    if decision.kind is DecisionKind.KEEP:
        del document["other_sha256"]
    return {"id": decision.name, **document}


def _named(decisions: list[Decision], name: str) -> Decision:
    found = [each for each in decisions if name and each.name.startswith(name)]
    if len(found) != 1:
        raise MissingError(f"{len(found)} decisions begin with {name!r}; the list shows their ids")
    return found[0]


def decisions(
    undecide: Annotated[
        str | None, typer.Option("--take-back", metavar="ID", help="Forget this decision.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what was decided of contents, the newest first, or take one decision back.

    Example:
        fileorganizer duplicates decisions --take-back 3f0a9c11d2e4-b70c55a1e0f9
    """
    try:
        with open_session(quiet=as_json) as session:
            account = session.ledger.local_account()
            found = session.ledger.decisions(account)
            if undecide is not None:
                session.ledger.take_back(account, _named(found, undecide))
                found = session.ledger.decisions(account)
        if as_json:
            emit_json({"decisions": [_document(each) for each in found]})
            return
        rows = [
            (
                each.name,
                each.kind.replace("_", " "),
                each.kept_key,
                each.note,
                f"{each.decided_at:%Y-%m-%d %H:%M}" if each.decided_at else "",
            )
            for each in found
        ]
        out.print(rows_table("decisions", ("id", "what", "file", "note", "decided"), rows))
        if rows:
            err.print("take one back with: [bold]fileorganizer duplicates decisions --take-back ID")
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def register(group: typer.Typer) -> None:
    """Add the commands of this module to `duplicates`."""
    group.command("decide")(decide)
    group.command("decisions")(decisions)
