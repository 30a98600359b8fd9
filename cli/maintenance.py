"""`reindex`, `verify` and `purge`: the upkeep that schedules do, by hand."""

from typing import Annotated, Any

import typer

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, facts_table, fail, out
from cli.session import Session, open_session
from models.domain.errors import FileOrganizerError
from models.domain.jobs import JobKind
from storage.opening import canonical_url

Source = Annotated[
    str | None, typer.Argument(help="Folder or s3://bucket/prefix; every known one when not given.")
]


def _roots(session: Session, source: str | None) -> dict[str, str]:
    """Return the URL of each root to visit, by its id."""
    if source is not None:
        root = session.ledger.root_for(canonical_url(source))
        return {root.id: root.url}
    return {root.id: root.url for root in session.ledger.roots()}


def _flow_of(kind: JobKind) -> Any:
    """Return the flow that visits one root; imported once the stack's address is known."""
    if kind is JobKind.VERIFY:
        from flows.verify import verify_root

        return verify_root
    from flows.reindex import reindex_root

    return reindex_root


def _visit(kind: JobKind, source: str | None, *, as_json: bool) -> None:
    results: dict[str, Any] = {}
    with open_session(quiet=as_json) as session:
        from tasks.lifecycle.task import job_for_root

        flow = _flow_of(kind)
        for root_id, url in _roots(session, source).items():
            job_id = job_for_root(kind, root_id)
            with followed(session.ledger, job_id, quiet=as_json):
                results[url] = flow(job_id)
            if not as_json:
                out.print(facts_table(f"{kind} {url}", results[url]))
    if as_json:
        emit_json({"roots": results})


def reindex(source: Source = None, as_json: Json = False) -> None:
    """Bring the catalog and the warehouse up to date; unchanged files are not opened."""
    try:
        _visit(JobKind.REINDEX, source, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def verify(source: Source = None, as_json: Json = False) -> None:
    """Read every known file again and report bit rot, edits and losses."""
    try:
        _visit(JobKind.VERIFY, source, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def purge(
    older_than_days: Annotated[
        int | None, typer.Option(min=0, help="Age of what goes; the setting when not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Empty the trash of what is old enough. This removes bytes for good."""
    try:
        with open_session(quiet=as_json):
            from flows.purge import purge as purge_flow

            results = purge_flow(older_than_days)
            if as_json:
                emit_json({"roots": results})
                return
            for root_id, facts in results.items():
                out.print(facts_table(f"purge {root_id}", facts))
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(reindex)
    app.command()(verify)
    app.command()(purge)
