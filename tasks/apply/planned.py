"""From an approved plan to the journal's first rows; nothing is touched here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from models.domain.decisions import Decisions
from models.domain.duplicates import TruthClass
from models.domain.errors import InvalidError
from models.domain.operations import FolderRow, Operation, OperationState
from models.domain.plans import WRITING, Action, ApprovedPlan, Move
from storage.keys import TRASH
from storage.store import Store
from warehouse.schemas.arrow import to_rows

KEEPER_URL = "keeper_url"
"""Receipt: root of a further place where the keeper may be, as where the plan moves it."""

KEEPER_AT = "keeper_at"
"""Receipt: key of that place."""

KEEPER_SHA256 = "keeper_sha256"
"""Receipt: content the keeper must have, where it is only alike; else it is the member's own."""

TRUTH_CLASS = "truth_class"
"""Receipt: what says that a member is a duplicate; `TruthClass.FULL_HASH` is proof by itself."""

SIMILARITY = "similarity_ratio"
"""Receipt: how alike member and keeper are, 1.0 for equal bytes."""

THRESHOLD = "threshold_ratio"
"""Receipt: the smallest similarity that was looked for."""

CONSENT = "consent"
"""Receipt: why a removal needs no living copy, in words; only a purge by age has it."""

_JOURNALED = frozenset({*WRITING, Action.ASSIGN})


UNKNOWN = "its content, or a companion's, is not known, so its arrival could not be proven"
DECIDED = "somebody decided after the plan was made that this one stays"
GOING = "the file to keep is to go, too, so this one stays"
"""Why operations are refused when they are journaled."""


def trash_key(job_id: str, key: str) -> str:
    """Return where a file goes when it is trashed, below the root it lives in."""
    return f"{TRASH}/{job_id}/{key}"


def operations_from(
    approved: ApprovedPlan, moves: pa.Table, decisions: Decisions | None = None
) -> list[Operation]:
    """Return the journal's rows of a plan: every move that writes, in the plan's order.

    What stays (skips and refusals of the plan) is not journaled, and `seq` counts what is, without
    gaps: `source_key` leads back to the plan's row. A move without known content is journaled as
    refused with its whole unit, since nobody could prove afterwards that it arrived; so is a
    removal that people decided against since.

    Args:
        approved: the plan somebody approved.
        moves: (n,) rows of `Move`, any order.
        decisions: what people have decided by now.

    Returns:
        At most (n,) operations sorted by `seq`.

    Raises:
        InvalidError: the members of a unit do not follow each other; a move has no destination.
    """
    rows = sorted(to_rows(moves, Move), key=lambda row: row.seq)
    writing = [row for row in rows if row.action in _JOURNALED]
    _check_units(writing)
    keepers = {
        row.source_key: row.destination_key
        for row in writing
        if row.action == Action.MOVE and row.destination_key is not None
    }
    operations = [_operation(approved, row, keepers, seq) for seq, row in enumerate(writing)]
    refused = (
        dict.fromkeys(_going_keepers(writing), GOING)
        | dict.fromkeys(_decided_to_stay(writing, decisions or Decisions()), DECIDED)
        | dict.fromkeys(
            (row.unit_id for row in writing if row.sha256 is None and row.action != Action.ASSIGN),
            UNKNOWN,
        )
    )
    return [
        replace(each, state=OperationState.REFUSED, error=refused[each.unit_id])
        if each.unit_id in refused
        else each
        for each in operations
    ]


def _going_keepers(rows: Sequence[Move]) -> Iterator[str]:
    """Yield units that go because of a file that goes, too.

    Among equal bytes that is no matter, since the last copy proves itself and stays; but a file
    that is only alike must not take the proof of another one away.
    """
    going = {row.source_key: row for row in rows if row.action == Action.TRASH}
    for row in going.values():
        keeper = going.get(row.keeper_key or "")
        if keeper is not None and (is_alike(row.truth_class) or is_alike(keeper.truth_class)):
            yield row.unit_id


def _decided_to_stay(rows: Sequence[Move], decisions: Decisions) -> Iterator[str]:
    """Yield units that would be removed though people decided that they stay."""
    for row in rows:
        if row.action != Action.TRASH or row.sha256 is None:
            continue
        others = (row.source_key, row.keeper_key or "")
        if is_alike(row.truth_class):
            is_kept = row.sha256 in decisions.keepers
            is_kept = is_kept or decisions.is_apart(row.sha256, row.keeper_sha256 or row.sha256)
        else:
            is_kept = decisions.is_chosen(row.sha256, row.source_key, others)
        if is_kept:
            yield row.unit_id


def is_alike(truth_class: str | None) -> bool:
    """Return whether a class of truth says less than that the bytes are equal."""
    return truth_class not in {None, TruthClass.FULL_HASH}


def _check_units(rows: Iterable[Move]) -> None:
    """Refuse a plan that scatters a unit: it could not be applied as one."""
    finished: set[str] = set()
    current = ""
    for row in rows:
        if row.unit_id != current:
            if row.unit_id and row.unit_id in finished:
                raise InvalidError(f"the plan scatters unit {row.unit_id}; make a new plan")
            finished.add(current)
            current = row.unit_id


def _operation(approved: ApprovedPlan, row: Move, keepers: dict[str, str], seq: int) -> Operation:
    plan = approved.plan
    destination_root, destination_key = plan.destination_url, row.destination_key
    source_root = plan.source_url
    receipt: dict[str, str] | None = None
    if row.action == Action.DISPLACE:
        source_root = plan.destination_url
    if row.action == Action.TRASH:
        destination_root = plan.source_url
        receipt = _proof(row)
        if row.keeper_key in keepers:
            place = {KEEPER_URL: plan.destination_url, KEEPER_AT: keepers[row.keeper_key]}
            receipt = (receipt or {}) | place
    if destination_key is None:
        if row.action not in {Action.TRASH, Action.DISPLACE}:
            raise InvalidError(f"the plan's row {row.seq} has no destination; make a new plan")
        destination_key = trash_key(plan.job_id, row.source_key)
    return Operation(
        job_id=plan.job_id,
        seq=seq,
        unit_id=row.unit_id,
        action=row.action,
        source_url=source_root,
        source_key=row.source_key,
        destination_url=destination_root,
        destination_key=destination_key,
        size_bytes=row.size_bytes,
        modified_ns=row.modified_ns,
        sha256=row.sha256 or "",
        version=row.version,
        keeper_key=row.keeper_key,
        receipt=receipt,
        reason=row.reason,
    )


def _proof(row: Move) -> dict[str, str] | None:
    """Return what a plan says of why a file is a duplicate, for its receipt."""
    found: dict[str, str] = {}
    if row.truth_class is not None:
        found[TRUTH_CLASS] = row.truth_class
    if row.similarity_ratio is not None:
        found[SIMILARITY] = f"{row.similarity_ratio:.6f}"
    if row.threshold_ratio is not None:
        found[THRESHOLD] = f"{row.threshold_ratio:.6f}"
    if row.keeper_sha256 is not None and is_alike(row.truth_class):
        found[KEEPER_SHA256] = row.keeper_sha256
    return found or None


def parents(key: str) -> list[str]:
    """Return the folders above a key, nearest first, the root ("") last."""
    parts = key.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]


def folder_rows(stores: Iterable[Store], operations: Sequence[Operation]) -> list[FolderRow]:
    """Return the facts of every folder the operations may change, as they are now.

    Args:
        stores: the roots that the operations name.
        operations: what is going to be done; called before anything is.

    Returns:
        One row for each root and folder, sorted; a storage without folders has none.
    """
    by_url = {store.url: store for store in stores}
    keys: dict[str, set[str]] = {}
    for operation in operations:
        if operation.action == Action.ASSIGN:
            continue
        keys.setdefault(operation.source_url, set()).update(parents(operation.source_key))
        keys.setdefault(operation.destination_url, set()).update(parents(operation.destination_key))
    return [_folder_row(by_url[url], key) for url in sorted(keys) for key in sorted(keys[url])]


def _folder_row(store: Store, key: str) -> FolderRow:
    facts = store.folder_facts(key)
    if facts is None:
        return FolderRow(key=key, url=store.url, existed=False)
    return FolderRow(
        key=key,
        url=store.url,
        existed=True,
        mode=facts.mode,
        modified_ns=facts.modified_ns,
    )
