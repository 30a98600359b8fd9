"""Emptying the trash: the only step that removes bytes for good, so it needs a reason each time."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from models.domain.errors import MissingError
from models.domain.jobs import TERMINAL, Job, JobKind, JobStatus
from models.domain.manifest import ManifestRow
from models.domain.operations import REMOVE, Operation, OperationState
from models.domain.plans import Action
from models.domain.storage_roots import StorageRoot
from storage.keys import TRASH
from storage.store import Store
from tasks.apply.planned import CONSENT, KEEPER_AT, KEEPER_URL
from tasks.apply.ports import Journal
from tasks.apply.ranges import walk


class PurgeLedger(Journal, Protocol):
    """The journal, and the jobs whose trash it is."""

    def job(self, job_id: str) -> Job:
        """Return a job. Raises MissingError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What shall go: the trash of jobs that ended so long ago, or that of some jobs."""

    older_than_days: int
    job_ids: Sequence[str] | None = None


def removals(ledger: PurgeLedger, store: Store, choice: Choice) -> list[Operation]:
    """Return removals of what lies in a root's trash and was chosen; see `removal`."""
    found: list[Operation] = []
    for job_id in sorted(_job_ids(store) if choice.job_ids is None else choice.job_ids):
        try:
            job = ledger.job(job_id)
        except MissingError:
            continue  # whose job is not known has no known age, and no receipt
        consent = None if choice.job_ids is not None else _consent(job, choice.older_than_days)
        if job.status not in TERMINAL or (choice.job_ids is None and consent is None):
            continue
        found += _removals_of(ledger, store, job_id, consent)
    return [replace(each, seq=seq, unit_id=f"{seq}") for seq, each in enumerate(found)]


def _removals_of(
    ledger: PurgeLedger, store: Store, job_id: str, consent: str | None
) -> Iterator[Operation]:
    """Yield removals of what lies in one job's trash."""
    journaled = {
        each.destination_key: each
        for each in walk(ledger, job_id, OperationState.DONE)
        if each.destination_url == store.url and each.destination_key.startswith(f"{TRASH}/")
    }
    for row in store.list_trash(job_id):
        operation = journaled.get(row.key)
        if operation is not None:
            yield removal(operation, consent=consent)
        elif consent is not None:
            yield removal(_taken_back(store, job_id, row), consent=consent)


def _taken_back(store: Store, job_id: str, row: ManifestRow) -> Operation:
    """Return how a copy came into the trash whose source was edited while it was moved."""
    return Operation(
        job_id=job_id,
        seq=0,
        unit_id="",
        action=Action.TRASH,
        source_url=store.url,
        source_key=row.key.removeprefix(f"{TRASH}/{job_id}/"),
        destination_url=store.url,
        destination_key=row.key,
        size_bytes=row.size_bytes,
        modified_ns=row.modified_ns,
        sha256=store.hash(row.key).sha256,
        version=row.version,
        destination_version=row.version,
    )


def _job_ids(store: Store) -> set[str]:
    return {row.key.removeprefix(f"{TRASH}/").partition("/")[0] for row in store.list_trash()}


def _consent(job: Job, days: int) -> str | None:
    """Return the owner's consent by age in words, or None while a job is too young."""
    ended_at = job.completed_at or job.created_at
    if ended_at is None or datetime.now(UTC) - ended_at < timedelta(days=days):
        return None
    return f"the owner keeps trash for {days} days; the job ended {ended_at.isoformat()}"


def removal(operation: Operation, *, consent: str | None) -> Operation:
    """Return the removal for good of what an operation put into the trash.

    Without consent it proves that the content lives: the keeper named in the receipt of the
    trashing is read again from beginning to end, and without it the file stays in the trash.
    With consent (an age the owner chose, quoted in the receipt) displaced files and last copies go
    too: this is what emptying a trash means.
    """
    return replace(
        operation,
        action=REMOVE,
        source_url=operation.destination_url,
        source_key=operation.destination_key,
        version=operation.destination_version or "",
        state=OperationState.PLANNED,
        destination_version=None,
        receipt=_evidence(operation, consent),
        error=None,
        reason="empties the trash",
    )


def _evidence(operation: Operation, consent: str | None) -> dict[str, str]:
    if consent is not None:
        return {CONSENT: consent}
    receipt = operation.receipt or {}
    if KEEPER_URL in receipt:
        return {KEEPER_URL: receipt[KEEPER_URL], KEEPER_AT: receipt[KEEPER_AT]}
    if "kept_key" in receipt:
        return {KEEPER_URL: receipt["kept_url"], KEEPER_AT: receipt["kept_key"]}
    return {}


def of_job(operation: Operation, job_id: str) -> Operation:
    """Return an operation as one of a job."""
    return replace(operation, job_id=job_id)


def purge_job(root: StorageRoot, account_id: str) -> Job:
    """Return a new job that empties a root's trash; the local account's when nobody owns it."""
    return Job(
        id=str(uuid.uuid4()),
        kind=JobKind.PURGE,
        account_id=root.account_id or account_id,
        status=JobStatus.PENDING,
        source_url=root.url,
        destination_url=root.url,
        source_root_id=root.id,
        destination_root_id=root.id,
    )


def facts(operations: Sequence[Operation]) -> dict[str, int]:
    """Return what a purge came to."""
    removed = [each for each in operations if each.state is OperationState.DONE]
    return {
        "files_removed": len(removed),
        "bytes_removed": sum(each.size_bytes for each in removed),
        "files_kept": len(operations) - len(removed),
    }


def status(found: dict[str, int]) -> JobStatus:
    """Return how a purge ended."""
    return JobStatus.COMPLETED_WITH_ERRORS if found["files_kept"] else JobStatus.COMPLETED
