"""The inverse of what a job did, as operations of a job of its own."""

from collections.abc import Iterable, Sequence

from models.domain.operations import REMOVE, FolderRow, Operation, OperationState
from models.domain.plans import Action
from tasks.apply.planned import KEEPER_AT, KEEPER_URL

_MOVED = frozenset({Action.MOVE, Action.TRASH, Action.DISPLACE})


def undo_operations(
    operations: Iterable[Operation], folders: Sequence[FolderRow] = (), *, job_id: str
) -> list[Operation]:
    """Return the operations that put back what a job did, last first.

    They are carried out by the same mover under the same preconditions: what was edited since is
    refused and stays, what is back already is `done` without a touch, so undoing twice equals once.
    A copy is removed only while it is byte-identical and the original still has its content. Each
    file is a unit of its own: one that cannot come back keeps no other away.

    Args:
        operations: the job's operations, in any order; only those `done` are put back.
        folders: what the job's folders were; they need no operations, `restore_folders` does them.
        job_id: the undo's own job.

    Returns:
        Operations with `seq` from 0 without gaps.
    """
    del folders
    done = sorted(
        (each for each in operations if each.state is OperationState.DONE),
        key=lambda each: -each.seq,
    )
    inverses: list[Operation] = []
    for operation in done:
        inverse = _inverse(operation, job_id=job_id, seq=len(inverses))
        if inverse is not None:
            inverses.append(inverse)
    return inverses


def _inverse(operation: Operation, *, job_id: str, seq: int) -> Operation | None:
    action: str
    receipt: dict[str, str] | None = None
    if operation.action in _MOVED:
        action = Action.MOVE
    elif operation.action == Action.COPY:
        action = REMOVE
        receipt = {KEEPER_URL: operation.source_url, KEEPER_AT: operation.source_key}
    elif operation.action == Action.ASSIGN:
        action = Action.ASSIGN
    else:
        return None  # what was removed for good had another copy, or consent
    return Operation(
        job_id=job_id,
        seq=seq,
        unit_id=f"{seq}",
        action=action,
        source_url=operation.destination_url,
        source_key=operation.destination_key,
        destination_url=operation.source_url,
        destination_key=operation.source_key,
        size_bytes=operation.size_bytes,
        modified_ns=operation.modified_ns,
        sha256=operation.sha256,
        version=operation.destination_version or "",
        receipt=receipt,
        reason=f"undoes {operation.action} {operation.seq}",
    )
