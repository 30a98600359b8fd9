"""Emptying the trash: the only step that removes bytes for good, so it needs a reason each time."""

from collections.abc import Iterable
from dataclasses import replace

from models.domain.operations import REMOVE, Operation, OperationState
from storage.keys import TRASH
from tasks.apply.planned import CONSENT, KEEPER_AT, KEEPER_URL


def purge_operations(
    trashed: Iterable[Operation], *, job_id: str, first_seq: int = 0, consent: str | None = None
) -> list[Operation]:
    """Return removals of what a job put into the trash.

    Without consent each removal proves that the content lives: the keeper named in the receipt of
    the trashing is read again from beginning to end, and without it the file stays in the trash.
    With consent (an age the owner chose, spelled out in the receipt) displaced files and last
    copies go too: this is what emptying a trash means.

    Args:
        trashed: operations of the job; those that are not `done` or led elsewhere are passed over.
        job_id: the purge's own job.
        first_seq: number of the first removal.
        consent: why no living copy is needed, in words; None demands one.

    Returns:
        Operations in the order of `trashed`.
    """
    removals: list[Operation] = []
    for operation in trashed:
        if operation.state is not OperationState.DONE or not is_trash(operation):
            continue
        removals.append(
            replace(
                operation,
                job_id=job_id,
                seq=first_seq + len(removals),
                unit_id=f"{first_seq + len(removals)}",
                action=REMOVE,
                source_url=operation.destination_url,
                source_key=operation.destination_key,
                version=operation.destination_version or "",
                state=OperationState.PLANNED,
                receipt=_evidence(operation, consent),
                error=None,
                reason="empties the trash",
            )
        )
    return removals


def is_trash(operation: Operation) -> bool:
    """Return whether an operation led into the trash of its job."""
    return operation.destination_key.startswith(f"{TRASH}/{operation.job_id}/")


def _evidence(operation: Operation, consent: str | None) -> dict[str, str]:
    if consent is not None:
        return {CONSENT: consent}
    receipt = operation.receipt or {}
    if KEEPER_URL in receipt:
        return {KEEPER_URL: receipt[KEEPER_URL], KEEPER_AT: receipt[KEEPER_AT]}
    if "kept_key" in receipt:
        return {KEEPER_URL: receipt["kept_url"], KEEPER_AT: receipt["kept_key"]}
    return {}
