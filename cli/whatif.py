"""`whatif`: compare policies before any plan exists."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.following import followed
from cli.organize import MODES, Json
from cli.output import emit_json, err, fail, out, size
from cli.session import Session, open_session
from models.domain.duplicates import keep_rules_from
from models.domain.errors import FileOrganizerError, InvalidError
from models.domain.jobs import JobKind, OrganizeOptions
from models.domain.organizing import TEMPLATES, ConflictPolicy, OnDuplicate, OperationType
from models.domain.whatif import Estimate, Policy, policies
from storage.opening import canonical_url
from tasks.categorize.taxonomy import load_taxonomy

HEADER = (
    *("", "frees", "groups", "files go", "bytes go", "trash", "renamed", "aside", "refused"),
    *("unsure", "alike", "risk"),
)


def _row(number: int, estimate: Estimate) -> list[str]:
    risk = estimate.risk
    counts = (risk.renamed, risk.displacements, risk.refusals, risk.unsure, risk.lookalikes)
    return [
        str(number),
        size(estimate.bytes_freed),
        f"{estimate.groups_touched:,}",
        f"{estimate.files_moved:,}",
        size(estimate.bytes_moved),
        f"{estimate.files_trashed:,}",
        *(f"{count:,}" for count in counts),
        f"{100 * risk.ratio:.0f} %",
    ]


def _show(estimates: Sequence[Estimate]) -> None:
    """Print the policies by number, and their figures, which fit into 80 columns."""
    for number, each in enumerate(estimates, 1):
        out.print(f"{number:>2}  {escape(each.policy.name)}", highlight=False)
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in HEADER:
        table.add_column(name, justify="right")
    for number, each in enumerate(estimates, 1):
        table.add_row(*_row(number, each))
    out.print(table)


def _indexed(session: Session, source: str, *, as_json: bool) -> str:
    """Bring what is known of a root up to date and return the job that did."""
    from flows.reindex import reindex_root
    from tasks.lifecycle.task import job_for_root

    root = session.ledger.root_for(canonical_url(source))
    job_id = job_for_root(JobKind.REINDEX, root.id)
    with followed(session.ledger, job_id, quiet=as_json):
        reindex_root(job_id)
    return job_id


def _estimates(
    session: Session, job_id: str, into: str | None, wanted: Sequence[Policy]
) -> list[Estimate]:
    from tasks.lifecycle.task import recall_index
    from tasks.whatif.core import estimate
    from tasks.whatif.gathering import gather

    destination = canonical_url(into) if into else None
    index = recall_index(job_id)
    world = gather(session.settings, session.ledger, job_id, index, destination_url=destination)
    return [estimate(world, policy) for policy in wanted]


def _document(estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {"policies": [{"name": each.policy.name, **asdict(each)} for each in estimates]}


def whatif(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    into: Annotated[str | None, typer.Option(help="Where to; SOURCE itself unless given.")] = None,
    mode: Annotated[list[str] | None, typer.Option(help=f"Repeatable; one of: {MODES}.")] = None,
    template: Annotated[str | None, typer.Option(help="Your own layout, instead of modes.")] = None,
    on_duplicate: Annotated[
        list[OnDuplicate] | None, typer.Option(help="Repeatable; all of them unless given.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable: keep rules in order, e.g. newest,shortest_path."),
    ] = None,
    similarity: Annotated[
        list[float] | None,
        typer.Option(help="Repeatable: from which similarity on what is alike counts, [0, 1]."),
    ] = None,
    operation: Annotated[
        OperationType, typer.Option(help="Whether sources stay.")
    ] = OperationType.MOVE,
    conflict: Annotated[
        ConflictPolicy, typer.Option(help="When a destination is taken.")
    ] = ConflictPolicy.RENAME_NEW,
    protect: Annotated[
        list[str] | None, typer.Option(help="Folder below SOURCE that nothing may leave.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Folder whose copies are kept first.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare policies: what each would free, move and touch, and what deserves a second look.

    The collection is indexed (unchanged files are not opened); then each combination of the
    options given is planned, by the code that plans jobs, and summed. Nothing is kept or moved.

    Examples:
        fileorganizer whatif ~/Photos --mode date_taken --mode category_year
        fileorganizer whatif ~/Photos --on-duplicate trash --keep oldest --keep newest
        fileorganizer whatif ~/Photos --similarity 1 --similarity 0.95 --similarity 0.9
    """
    try:
        strange = [each for each in mode or () if each not in TEMPLATES]
        if strange:
            raise InvalidError(f"there is no mode {strange[0]!r}; one of: {MODES}")
        base = OrganizeOptions(
            mode="custom" if template else "category_year",
            template=template,
            operation=operation,
            conflict=conflict,
            protected=tuple(protect or ()),
            preferred=tuple(prefer or ()),
        )
        wanted = policies(
            base,
            modes=[] if template else mode or [],
            on_duplicate=on_duplicate or list(OnDuplicate),
            keep_rules=[keep_rules_from(each) for each in keep or ()],
            similarities=similarity or [],
        )
        with open_session(quiet=as_json) as session:
            budget = load_taxonomy(session.settings).budget
            wanted = [
                replace(each, options=replace(each.options, subfolders=budget)) for each in wanted
            ]
            job_id = _indexed(session, source, as_json=as_json)
            estimates = _estimates(session, job_id, into, wanted)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json(_document(estimates))
        return
    _show(estimates)
    err.print(
        "`alike` are looked for by `fileorganizer duplicates --near`; no rule ever removes them"
    )


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(whatif)
