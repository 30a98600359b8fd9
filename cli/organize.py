"""`organize`, `apply` and `undo`: the journey of a collection, and back."""

import sys
import uuid
from dataclasses import replace
from typing import Annotated, Any

import typer

from cli.following import followed
from cli.output import emit_json, err, facts_table, fail, out
from cli.preview import plan_document, show_plan
from cli.session import Session, job_named, open_session
from models.domain.duplicates import DEFAULT_KEEP_RULES, KeepRule, keep_rules_from
from models.domain.errors import ConflictError, FileOrganizerError, InvalidError, MissingError
from models.domain.job_view import job_view
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.organizing import TEMPLATES, ConflictPolicy, OnDuplicate, OperationType
from models.domain.plans import Plan
from storage.opening import canonical_url, open_store
from tasks.categorize.taxonomy import load_taxonomy
from warehouse.store.parts import open_lake

UNDOABLE = frozenset({JobKind.ORGANIZE, JobKind.DEDUPLICATE})
"""Kinds of jobs that change files as a plan said."""

MODES = ", ".join([*TEMPLATES, "custom"])

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def new_job(
    session: Session, source: str, into: str | None, options: OrganizeOptions, *, is_approved: bool
) -> Job:
    """Create the job of an `organize` call.

    Raises:
        MissingError: the source is not there.
        UnsafePathError: a path makes no sense.
    """
    source_url = canonical_url(source)
    destination_url = canonical_url(into) if into else source_url
    store = open_store(source_url, s3_endpoint_url=session.settings.s3_endpoint_url)
    next(iter(store.list_pages(page_size=1)), None)  # a root that is not there fails here
    ledger = session.ledger
    account = ledger.local_account()
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=JobKind.ORGANIZE if options.removal is None else JobKind.DEDUPLICATE,
            account_id=account,
            status=JobStatus.PENDING,
            source_url=source_url,
            destination_url=destination_url,
            source_root_id=ledger.root_for(source_url).id,
            destination_root_id=ledger.root_for(destination_url).id,
            options=options,
            approves_itself=is_approved,
        )
    )


def _show(session: Session, plan: Plan, *, as_json: bool) -> dict[str, Any]:
    moves = open_lake(session.settings.lake).read(plan.moves)
    from flows.understanding import said_of

    asked = said_of(session.ledger.job(plan.job_id))
    if not as_json:
        show_plan(plan, moves)
        out.print(f"AI categorization: {asked}", markup=False, soft_wrap=True)
    return {**plan_document(plan, moves), "ai": asked}


def _is_approved(plan: Plan, *, yes: bool) -> bool:
    """Return whether to go on: told so, asked and answered so, or there is nothing to do."""
    if yes:
        return True
    if not sys.stdin.isatty():
        return False
    totals = plan.totals
    count = totals.moves + totals.copies + totals.trashes
    return typer.confirm(f"Carry out these {count:,} operations?", default=False)


def _enact(session: Session, plan: Plan, *, as_json: bool) -> dict[str, Any]:
    from flows.enact import enact

    session.ledger.approve(plan.id, by="command line")
    with followed(session.ledger, plan.job_id, quiet=as_json):
        return enact(plan.job_id)


def _finish(session: Session, job_id: str, document: dict[str, Any], *, as_json: bool) -> None:
    job = session.ledger.job(job_id)
    view = job_view(job)
    if as_json:
        emit_json({"job": view, **document})
        return
    out.print(facts_table(f"Job {job_id[:8]}: {job.status}", document.get("result", {})))
    if job.kind in UNDOABLE:
        err.print(f"undo with: [bold]fileorganizer undo {job_id[:8]}[/]")


def organize(
    source: Annotated[str, typer.Argument(help="Folder, or s3://bucket/prefix.")],
    into: Annotated[
        str | None, typer.Option(help="Where to; inside SOURCE itself when not given.")
    ] = None,
    mode: Annotated[str, typer.Option(help=f"One of: {MODES}.")] = "category_year",
    template: Annotated[
        str | None,
        typer.Option(help="Your own layout, e.g. '{category}/{year}/{stem}{ext}'."),
    ] = None,
    operation: Annotated[
        OperationType, typer.Option(help="Whether sources stay.")
    ] = OperationType.MOVE,
    on_duplicate: Annotated[
        OnDuplicate,
        typer.Option(help="Further copies of equal bytes: left alone, moved too, or trashed."),
    ] = OnDuplicate.SKIP,
    conflict: Annotated[
        ConflictPolicy, typer.Option(help="When a destination is taken.")
    ] = ConflictPolicy.RENAME_NEW,
    protect: Annotated[
        list[str] | None, typer.Option(help="Folder below SOURCE that nothing may leave.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Folder whose copies are kept first.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help=f"Which of equal files stays: rules in order, of {', '.join(KeepRule)}."),
    ] = None,
    subfolders: Annotated[
        int | None,
        typer.Option(
            min=0, help="Sub-category folders of one category at most; the smallest fold into it."
        ),
    ] = None,
    gps: Annotated[bool, typer.Option("--gps", help="Read places from photos.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file, even those known unchanged.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Plan only; nothing moves.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Hand it to the runner; implies --yes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Organize a messy collection: list, read, plan, show, and after your yes, move.

    Every file is read once, equal contents are found, and a plan is frozen and shown. Only what
    the plan shows is done; each step is journaled, so a kill at any moment loses nothing, and
    `fileorganizer undo` puts everything back.

    Examples:
        fileorganizer organize ~/Downloads --preview
        fileorganizer organize ~/Photos --mode date_taken --into ~/Sorted --operation copy
        fileorganizer organize s3://bucket/inbox --on-duplicate trash --yes
    """
    if mode not in TEMPLATES and mode != "custom":
        fail(InvalidError(f"there is no mode {mode!r}; one of: {MODES}"), as_json=as_json)
    try:
        rules = keep_rules_from(keep) if keep else DEFAULT_KEEP_RULES
    except InvalidError as error:
        fail(error, as_json=as_json)
    options = OrganizeOptions(
        mode="custom" if template else mode,
        template=template,
        operation=operation,
        on_duplicate=on_duplicate,
        conflict=conflict,
        keep_rules=rules,
        protected=tuple(protect or ()),
        preferred=tuple(prefer or ()),
        subfolders=subfolders,
        read_gps=gps,
        verify=verify,
    )
    try:
        with open_session(quiet=as_json) as session:
            if options.subfolders is None:
                options = replace(options, subfolders=load_taxonomy(session.settings).budget)
            job = new_job(
                session, source, into, options, is_approved=detach or (yes and not preview)
            )
            if detach:
                session.ledger.launch(job.id)
                _handed_over(job.id, as_json=as_json)
                return
            plan_then_enact(session, job.id, preview=preview, yes=yes, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _handed_over(job_id: str, *, as_json: bool) -> None:
    if as_json:
        emit_json({"job": {"id": job_id, "status": JobStatus.PENDING}})
    else:
        out.print(f"handed to the runner; watch with: fileorganizer jobs {job_id}")


def plan_then_enact(
    session: Session, job_id: str, *, preview: bool, yes: bool, as_json: bool
) -> None:
    """Plan a new job, show the plan, and carry it out after a yes; print how it ended."""
    from flows.propose import propose

    with followed(session.ledger, job_id, quiet=as_json):
        plan_id = propose(job_id)
    plan = session.ledger.plan(plan_id)
    document: dict[str, Any] = {"plan": _show(session, plan, as_json=as_json)}
    if preview or not _is_approved(plan, yes=yes):
        if as_json:
            emit_json({"job": job_view(session.ledger.job(job_id)), **document})
        else:
            hint = f"nothing was changed; apply with: [bold]fileorganizer apply {plan_id}[/]"
            err.print(hint, soft_wrap=True)
        return
    document["result"] = _enact(session, plan, as_json=as_json)
    _finish(session, job_id, document, as_json=as_json)


def apply(
    plan_id: Annotated[str, typer.Argument(help="As printed by `organize --preview`.")],
    as_json: Json = False,
) -> None:
    """Carry out a plan exactly as it was shown, or go on with one that was interrupted."""
    try:
        with open_session(quiet=as_json) as session:
            plan = session.ledger.plan(plan_id)
            result = _enact(session, plan, as_json=as_json)
            _finish(session, plan.job_id, {"result": result}, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def new_undo(session: Session, target: Job) -> Job:
    """Create the job that undoes another.

    Raises:
        ConflictError: the target is running, or there is nothing of it to undo.
    """
    if target.kind not in UNDOABLE:
        raise ConflictError(
            f"job {target.id} is a {target.kind} job; only organize and deduplicate can be undone"
        )
    if target.status is JobStatus.PENDING and target.plan_hash is None:
        raise MissingError(f"job {target.id} has not done anything yet")
    return session.ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=JobKind.UNDO,
            account_id=target.account_id,
            status=JobStatus.PENDING,
            source_url=target.source_url,
            destination_url=target.destination_url,
            source_root_id=target.source_root_id,
            destination_root_id=target.destination_root_id,
            options=target.options,
            target_job_id=target.id,
        )
    )


def undo(
    job_id: Annotated[str, typer.Argument(help="The organize job to put back.")],
    as_json: Json = False,
) -> None:
    """Put a whole run back: moves, copies, trash. What you edited since stays as it is."""
    try:
        with open_session(quiet=as_json) as session:
            from flows.undo import undo as undo_flow

            job = new_undo(session, job_named(session.ledger, job_id))
            with followed(session.ledger, job.id, quiet=as_json):
                result = undo_flow(job.id)
            _finish(session, job.id, {"result": result}, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(organize)
    app.command()(apply)
    app.command()(undo)
