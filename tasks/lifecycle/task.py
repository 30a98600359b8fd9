"""Prefect edge of a job's life: the held job, the tenant's slot, and what operators see."""

import json
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from models.domain.errors import ConflictError, ForbiddenError, MissingError
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.plans import Plan
from models.domain.storage_roots import RootKind
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.ledger.connections import is_operators, reached
from tasks.ledger.ledger import open_ledger
from tasks.lifecycle import artifacts, slots
from tasks.lifecycle.core import JobCanceledError, JobPausedError, JobRun, batch_ranges, run_job
from warehouse.store.parts import open_lake

__all__ = [
    "JobCanceledError",
    "JobPausedError",
    "JobRun",
    "approve_own_plan",
    "batch_ranges",
    "cancel_from_prefect",
    "done_if_clean",
    "held_job",
    "is_about_uploads",
    "job_for_root",
    "recall_index",
    "remember_index",
    "report_counts",
    "report_job",
    "report_plan",
    "roots_to_visit",
    "run_name",
    "saved_plan",
]


def done_if_clean(run: JobRun) -> JobStatus:
    """Return `completed`, or `completed_with_errors` when a file could not be dealt with."""
    return run.outcome


@contextmanager
def held_job(
    job_id: str, *, on_done: Callable[[JobRun], JobStatus] = done_if_clean
) -> Generator[JobRun]:
    """Hold a job, within its tenant's share of concurrency, while a flow body runs.

    Raises:
        BusyError: another worker holds the job.
        MissingError: there is no such job.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        account = ledger.job(job_id).account_id
        with (
            slots.tenant_slot(account, settings.tenant_jobs),
            run_job(ledger, job_id, lease_s=settings.lease_s, on_done=on_done) as run,
            reached(settings, ledger, (run.job.source_root_id, run.job.destination_root_id)),
        ):
            yield run


def run_name(kind: str) -> Callable[[], str]:
    """Return what names a flow's runs so that people recognize them: kind, job, mode, size."""

    def name() -> str:
        from prefect.runtime import flow_run

        job_id = flow_run.parameters.get("job_id")  # pyright: ignore[reportAttributeAccessIssue]
        if not job_id:
            return f"{kind} all roots"
        with open_ledger(Settings()) as ledger:
            return describe(kind, ledger.job(str(job_id)))

    return name


def describe(kind: str, job: Job) -> str:
    """Return the name of a run: no file or folder names, they are the customer's."""
    parts = [kind, job.id[:8]]
    if kind in {"organize", "propose", "enact"}:
        parts.append(job.options.what)
    if job.files_total:
        parts.append(f"{job.files_total:,} files")
    return " · ".join(parts)


def report_plan(plan: Plan) -> None:
    """Publish a plan's totals as a table artifact of the current run."""
    artifacts.plan_table(plan)


def report_job(job_id: str, facts: dict[str, Any]) -> None:
    """Publish what a run did as a table artifact of the current run."""
    artifacts.job_table(job_id, facts)


def cancel_from_prefect(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 - Prefect's names
    """State hook: a run canceled in the Prefect UI cancels its job in our journal too."""
    job_id = flow_run.parameters.get("job_id")
    if not job_id:
        return
    with open_ledger(Settings()) as ledger, suppress(ConflictError):  # it ended by itself
        ledger.request_cancel(str(job_id))


def saved_plan(plan_id: str) -> Plan:
    """Return a plan as it was saved.

    Raises:
        MissingError: there is no such plan.
    """
    with open_ledger(Settings()) as ledger:
        return ledger.plan(plan_id)


def approve_own_plan(job_id: str) -> bool:
    """Return whether a job has an approved plan, approving it where asking for the job was that.

    A job whose plan somebody wants to see first stays unapproved, also when another worker takes
    it up.
    """
    with open_ledger(Settings()) as ledger, suppress(MissingError, ForbiddenError):
        job = ledger.job(job_id)
        if job.approves_itself:
            ledger.approve(ledger.plan_of_job(job_id).id, by=job.account_id or "system")
        ledger.approved_plan(job_id)
        return True
    return False


def is_about_uploads(job: Job) -> bool:
    """Return whether a job concerns uploads, whose bytes never move (DESIGN D1)."""
    with open_ledger(Settings()) as ledger:
        return ledger.root(job.source_root_id).kind is RootKind.MANAGED


def roots_to_visit(root_id: str | None, *, with_uploads: bool = True) -> list[str]:
    """Return the one root named, or the ids of all roots that can be reached, sorted.

    Args:
        root_id: the only root.
        with_uploads: whether the roots of uploads are among them; their catalog is written by
            uploading and organizing, never from a listing.

    Raises:
        MissingError: the named root is not known.
    """
    with open_ledger(Settings()) as ledger:
        if root_id:
            return [ledger.root(root_id).id]
        return sorted(
            root.id
            for root in ledger.roots()
            if (is_operators(root) or ledger.connection_of(root.id) is not None)
            and (with_uploads or root.kind is not RootKind.MANAGED)
        )


def job_for_root(kind: JobKind, root_id: str, *, job_id: str | None = None) -> str:
    """Create a job that concerns one whole root, and return its id.

    Raises:
        MissingError: there is no such root.
        ConflictError: a job of the id given exists.
    """
    with open_ledger(Settings()) as ledger:
        root = ledger.root(root_id)
        job = Job(
            id=job_id or str(uuid.uuid4()),
            kind=kind,
            account_id=root.account_id or ledger.local_account(),
            status=JobStatus.PENDING,
            source_url=root.url,
            destination_url=root.url,
            source_root_id=root.id,
            destination_root_id=root.id,
        )
        return ledger.create_job(job).id


def remember_index(job_id: str, tables: dict[str, TableRef]) -> None:
    """Keep the references of what was indexed for a job, for the flow that enacts its plan."""
    document = {name: asdict(ref) for name, ref in tables.items()}
    text = json.dumps(document, sort_keys=True).encode()
    open_lake(Settings().lake).write_blob(f"runs/{job_id}/index.json", text)


def recall_index(job_id: str) -> dict[str, TableRef]:
    """Return what `remember_index` kept.

    Raises:
        MissingError: the job was never indexed.
    """
    text = open_lake(Settings().lake).read_blob(f"runs/{job_id}/index.json")
    return {name: TableRef(**ref) for name, ref in json.loads(text).items()}


def report_counts(what: str, results: dict[str, Any], *, by: str = "root") -> None:
    """Publish counts by root, or by something else, as a table artifact of the current run."""
    artifacts.counts_table(what, results, by=by)
