"""Prefect edges of applying: begin, batch, finish, undo, purge."""

import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from prefect import task

from models.domain.errors import ConflictError
from models.domain.jobs import TERMINAL, Job, JobKind, JobStatus
from models.domain.operations import OperationState
from models.settings import Settings
from storage.opening import open_store
from storage.store import Store
from tasks.apply import finishing, trash
from tasks.apply.core import Mover
from tasks.apply.planned import folder_rows, operations_from
from tasks.apply.ranges import possibly_ahead, walk, whole_units
from tasks.apply.undo import undo_operations
from tasks.ledger.connections import reached
from tasks.ledger.ledger import open_ledger
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store.parts import open_lake

LEASE_S = 3600.0
"""Life of a lease that one task takes for itself; work is fenced by its epoch, not by its end."""


@contextmanager
def _opened(settings: Settings, *urls: str) -> Generator[list[Store]]:
    """Open each root once."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(open_store(url, s3_endpoint_url=settings.s3_endpoint_url))
            for url in sorted(set(urls))
        ]


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def begin_apply(job_id: str) -> int:
    """Journal all operations of the job's approved plan, and return how many there are.

    Raises:
        ForbiddenError: nobody approved the plan.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        if journaled := sum(ledger.operation_counts(job_id).values()):
            return journaled
        approved = ledger.approved_plan(job_id)
        lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
        operations = operations_from(
            approved,
            lake.read(approved.plan.moves),
            ledger.decisions_of(ledger.job(job_id).account_id),
        )
        with _opened(settings, approved.plan.source_url, approved.plan.destination_url) as stores:
            ledger.begin(job_id, operations, folder_rows(stores, operations))
        return len(operations)


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def apply_batch(job_id: str, epoch: int, first_seq: int, last_seq: int) -> dict[str, int]:
    """Carry out the units that begin in [first_seq, last_seq], and return counts by state.

    Stops between chunks when the job was asked to; what is done is journaled.

    Raises:
        ConflictError: another worker holds the job.
        BusyError: storage is occupied; the batch goes on where it was.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        with _opened(settings, job.source_url, job.destination_url) as stores:
            mover = Mover(
                stores,
                ledger,
                job_id=job_id,
                epoch=epoch,
                may_continue=lambda: ledger.may_continue(job_id),
            )
            return dict(mover.apply(whole_units(ledger, job_id, first_seq, last_seq)))


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def finish_apply(job_id: str) -> dict[str, Any]:
    """Deal with the folders and return the facts of the job; repeatable.

    Returns:
        Operations by state, `files_moved`, `bytes_moved`, `folders_pruned`, `errors_count`.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        with _opened(settings, job.source_url, job.destination_url) as stores:
            if job.kind is JobKind.UNDO and job.target_job_id is not None:
                pruned = finishing.restored(stores, ledger.folders(job.target_job_id))
            else:
                pruned = finishing.pruned(stores, walk(ledger, job_id, OperationState.DONE))
        facts = finishing.facts(walk(ledger, job_id)) | {"folders_pruned": pruned}
        ledger.set_progress(
            job_id, phase="applied", progress_ratio=0.0, **finishing.counters(facts)
        )
        return facts


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def make_undo(job_id: str) -> int:
    """Journal the inverse of what the target of an undo job did, and return its operations.

    A target that was canceled or failed is first brought level with its storage.

    Raises:
        ConflictError: the target is still under way, or this job undoes nothing.
        BusyError: a worker still holds the target.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        job = ledger.job(job_id)
        if job.target_job_id is None:
            raise ConflictError(f"job {job_id} names no job to undo")
        if journaled := sum(ledger.operation_counts(job_id).values()):
            return journaled
        target = ledger.job(job.target_job_id)
        if target.status not in TERMINAL:
            raise ConflictError(f"job {target.id} is {target.status}: cancel it before its undo")
        if target.status is JobStatus.UNDONE:
            return 0
        _level(settings, target)
        operations = undo_operations(walk(ledger, target.id, OperationState.DONE), job_id=job_id)
        ledger.begin(job_id, operations, [])
        return len(operations)


def _level(settings: Settings, target: Job) -> None:
    """Bring the journal of a job that ended early level with its storage."""
    with open_ledger(settings) as ledger:
        open_operations = possibly_ahead(ledger, target.id)
        if not open_operations:
            return
        owner = f"undo-{uuid.uuid4()}"
        epoch = ledger.acquire_lease(target.id, owner, LEASE_S)
        try:
            with _opened(settings, target.source_url, target.destination_url) as stores:
                Mover(stores, ledger, job_id=target.id, epoch=epoch).reconcile(open_operations)
        finally:
            ledger.release_lease(target.id, owner, epoch)


@task
def mark_undone(job_id: str) -> None:
    """Mark the target of an undo job as undone, unless something may come back another time."""
    with open_ledger(Settings()) as ledger:
        counts = ledger.operation_counts(job_id)
        target_job_id = ledger.job(job_id).target_job_id
        may_retry = {OperationState.FAILED, OperationState.DEFERRED, OperationState.PLANNED}
        if target_job_id is not None and not any(counts.get(state) for state in may_retry):
            ledger.set_status(target_job_id, JobStatus.UNDONE)


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def purge_trash(
    root_id: str, older_than_days: int, job_ids: list[str] | None = None
) -> dict[str, int]:
    """Remove what jobs put into a root's trash, for good, journaled by a job of its own.

    Args:
        root_id: the root.
        older_than_days: age of a job from which its trash goes, last copies and displaced files
            too; asking for it is the owner's consent, which the receipts quote.
        job_ids: instead of an age, these jobs: then only what has a living copy goes.

    Returns:
        `files_removed`, `bytes_removed`, `files_kept`.
    """
    settings = Settings()
    with open_ledger(settings) as ledger:
        root = ledger.root(root_id)
        with reached(settings, ledger, [root_id]), _opened(settings, root.url) as stores:
            choice = trash.Choice(older_than_days=older_than_days, job_ids=job_ids)
            operations = trash.removals(ledger, stores[0], choice)
            if not operations:
                return trash.facts([])
            job = ledger.create_job(trash.purge_job(root, ledger.local_account()))
            owner = f"purge-{uuid.uuid4()}"
            epoch = ledger.acquire_lease(job.id, owner, LEASE_S)
            ledger.set_status(job.id, JobStatus.RUNNING, epoch=epoch)
            journaled = [trash.of_job(each, job.id) for each in operations]
            ledger.begin(job.id, journaled, [])
            Mover(stores, ledger, job_id=job.id, epoch=epoch).apply(journaled)
            stores[0].tidy()
            facts = trash.facts(list(walk(ledger, job.id)))
            ledger.set_status(job.id, trash.status(facts), epoch=epoch)
            ledger.release_lease(job.id, owner, epoch)
            return facts
