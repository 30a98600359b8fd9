"""`jobs`: what ran, what runs, what came of it."""

from typing import Annotated

import typer

from cli.organize import Json
from cli.output import emit_json, err, facts_table, fail, out, rows_table
from cli.session import Session, job_named, open_session
from models.domain.errors import FileOrganizerError
from models.domain.job_view import job_view
from models.domain.jobs import JobStatus
from models.domain.operations import OperationState

TROUBLE = (OperationState.REFUSED, OperationState.FAILED, OperationState.DEFERRED)
"""States of operations that were not carried out."""


def jobs(
    job_id: Annotated[str | None, typer.Argument(help="One job; all recent ones without.")] = None,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this status.")] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop the job at its next safe point.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List recent jobs, show one with its counts and troubles, or cancel it."""
    try:
        with open_session(quiet=as_json) as session:
            if job_id is None:
                _list(session, status, limit, as_json=as_json)
                return
            job_id = job_named(session.ledger, job_id).id
            if cancel:
                session.ledger.request_cancel(job_id)
                err.print(f"asked job {job_id} to stop; it does at its next safe point")
            _show(session, job_id, limit, as_json=as_json)
    except FileOrganizerError as error:
        fail(error, as_json=as_json)


def _list(session: Session, status: JobStatus | None, limit: int, *, as_json: bool) -> None:
    found = session.ledger.jobs(limit=limit, status=status)
    if as_json:
        emit_json({"jobs": [job_view(job) for job in found]})
        return
    rows = [
        (
            job.id[:8],
            job.kind,
            job.status,
            f"{100 * job.progress_ratio:.0f} %",
            f"{job.files_total:,}",
            f"{job.files_moved:,}",
            f"{job.errors_count:,}",
            f"{job.created_at:%Y-%m-%d %H:%M}" if job.created_at else "",
        )
        for job in found
    ]
    header = ("job", "kind", "status", "progress", "files", "moved", "errors", "created")
    out.print(rows_table("jobs", header, rows))


def _show(session: Session, job_id: str, limit: int, *, as_json: bool) -> None:
    job = session.ledger.job(job_id)
    plan_id = session.ledger.plan_of_job(job_id).id if job.plan_hash else None
    counts = {str(k): n for k, n in session.ledger.operation_counts(job_id).items()}
    troubled = session.ledger.operations(job_id, states=TROUBLE, limit=limit)
    if as_json:
        operations = [
            {"seq": o.seq, "from": o.source_key, "state": o.state, "error": o.error}
            for o in troubled
        ]
        view = {**job_view(job), "plan_id": plan_id}
        emit_json({"job": view, "operations": counts, "troubled": operations})
        return
    out.print(facts_table(f"job {job.id}", {**job_view(job), "plan_id": plan_id}))
    if counts:
        out.print(facts_table("operations", counts))
    if troubled:
        rows = [(o.source_key, o.state, o.error or "") for o in troubled]
        out.print(rows_table("not done", ("file", "state", "why"), rows))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(jobs)
