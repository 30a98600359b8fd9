"""After the last batch: the folders, and what the job came to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from models.domain.operations import FolderRow, Operation, OperationState
from models.domain.plans import Action
from storage.store import Store
from tasks.apply.folders import emptied_folders, prune, restore_folders

MOVING = frozenset({Action.MOVE, Action.COPY, Action.ASSIGN})
"""Actions that give a file the place it was organized to."""

ERRORS = frozenset({OperationState.REFUSED, OperationState.FAILED, OperationState.DEFERRED})


def pruned(stores: Sequence[Store], operations: Iterable[Operation]) -> int:
    """Remove the folders a job emptied, and our own empty ones; return how many of its went."""
    by_url = {store.url: store for store in stores}
    count = prune(by_url, emptied_folders(operations))
    for store in stores:
        store.tidy()
    return count


def restored(stores: Sequence[Store], folders: Sequence[FolderRow]) -> int:
    """Make folders what they were before the job that was undone; return how many went."""
    return restore_folders({store.url: store for store in stores}, folders)


def facts(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return what a job came to: operations by state, files and bytes moved, errors."""
    states: Counter[str] = Counter()
    files = size_bytes = 0
    for operation in operations:
        states[operation.state.value] += 1
        if operation.state is OperationState.DONE and operation.action in MOVING:
            files += 1
            size_bytes += operation.size_bytes
    return {
        **{state.value: states[state.value] for state in OperationState},
        "files_moved": files,
        "bytes_moved": size_bytes,
        "errors_count": sum(states[state.value] for state in ERRORS),
    }


def counters(found: dict[str, Any]) -> dict[str, int]:
    """Return those of `facts` that a job counts."""
    return {"files_moved": found["files_moved"], "errors_count": found["errors_count"]}
