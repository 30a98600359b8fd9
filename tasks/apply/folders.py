"""Folders after the files: those a job emptied go; an undo brings them back as they were."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from models.domain.errors import ConflictError, ForbiddenError, MissingError
from models.domain.operations import FolderRow, Operation, OperationState
from models.domain.organizing import RESERVED_PREFIX
from models.domain.plans import Action
from storage.store import FolderFacts, Store
from tasks.apply.planned import parents

_EMPTYING = frozenset({Action.MOVE, Action.TRASH, Action.DISPLACE})


def emptied_folders(operations: Iterable[Operation]) -> set[tuple[str, str]]:
    """Return (root, key) of the folders that files were taken from, and those above; no root.

    Args:
        operations: those of one job; pages of them may be given one after the other.
    """
    taken: set[tuple[str, str]] = set()
    for operation in operations:
        if operation.state is OperationState.DONE and operation.action in _EMPTYING:
            folders = parents(operation.source_key)
            taken.update((operation.source_url, key) for key in folders if key)
    return taken


def prune(stores: Mapping[str, Store], folders: Iterable[tuple[str, str]]) -> int:
    """Remove those folders that are empty, the deepest first, and return how many went.

    A folder that was empty before the job never held a file of it, so it is not among them.
    """
    deepest_first = sorted(folders, key=lambda place: (-place[1].count("/"), place))
    return sum(_is_pruned(stores[url], key) for url, key in deepest_first if not _is_ours(key))


def _is_pruned(store: Store, key: str) -> bool:
    """Return whether a folder went; one that may not be removed stays, and that is all."""
    try:
        return bool(key) and store.prune_folder(key)
    except (ConflictError, ForbiddenError, MissingError):
        return False


def restore_folders(stores: Mapping[str, Store], folders: Sequence[FolderRow]) -> int:
    """Make folders what they were before a job and return how many of its own went.

    Folders that the job made go if they are empty; the others come back where they are missing,
    with their mode and time, the deepest first, for a child's return changes its parent's time.
    """
    made = ((row.url, row.key) for row in folders if not row.existed)
    pruned = prune(stores, made)
    for store in stores.values():
        store.tidy()
    for row in sorted(folders, key=lambda row: (-row.key.count("/") - bool(row.key), row.key)):
        if row.existed and not _is_ours(row.key) and row.modified_ns is not None:
            facts = FolderFacts(mode=row.mode or 0o755, modified_ns=row.modified_ns)
            # Where a file or a lock is in the way the folder stays as it is; files come first.
            with contextlib.suppress(ConflictError, ForbiddenError, MissingError):
                stores[row.url].restore_folder(row.key, facts)
    return pruned


def _is_ours(key: str) -> bool:
    return RESERVED_PREFIX in key.split("/")
