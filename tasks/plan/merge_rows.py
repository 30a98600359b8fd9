"""The MOVES table of a union merge, and its sums."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.domain.duplicates import TruthClass
from models.domain.plans import Action, Move, PlanTotals
from tasks.plan.merge_sides import Sides
from tasks.plan.rows import unit_id


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one file.

    Attributes:
        row: its position.
        to: where it moves.
        keeper: position of the file that proves that its content stays.
        conflict: how a taken name was dealt with.
    """

    row: int
    action: Action
    reason: str
    to: str | None = None
    keeper: int | None = None
    conflict: str | None = None


def merge_rows(units: Sequence[Sequence[Step]], sides: Sides) -> Iterator[Move]:
    """Yield the rows of some units, in the order given."""
    seq = 0
    for steps in units:
        unit = unit_id(sides.files[steps[0].row].key)
        for step in steps:
            file = sides.files[step.row]
            yield Move(
                seq=seq,
                unit_id=unit,
                action=step.action.value,
                source_key=file.key,
                destination_key=step.to,
                size_bytes=file.size_bytes,
                modified_ns=file.modified_ns,
                sha256=file.sha256,
                version=file.version,
                keeper_key=None if step.keeper is None else sides.files[step.keeper].key,
                truth_class=None if step.keeper is None else TruthClass.FULL_HASH.value,
                similarity_ratio=None if step.keeper is None else 1.0,
                conflict=step.conflict,
                reason=step.reason,
            )
            seq += 1


def merge_totals(moves: Sequence[Move], *, problems: int) -> PlanTotals:
    """Return the sums that a preview of a merge shows; its files are those of the emptied folder.

    Args:
        moves: rows of `merge_moves`.
        problems: names that the listing of the root passed over.
    """
    sizes = dict.fromkeys(Action, 0)
    counts = dict.fromkeys(Action, 0)
    for move in moves:
        counts[Action(move.action)] += 1
        sizes[Action(move.action)] += move.size_bytes
    removed = {move.sha256 for move in moves if move.action == Action.TRASH}
    return PlanTotals(
        files_total=len(moves),
        bytes_total=sum(sizes.values()),
        moves=counts[Action.MOVE],
        copies=0,
        trashes=counts[Action.TRASH],
        displacements=0,
        skips=counts[Action.SKIP],
        refusals=counts[Action.REFUSE],
        assigns=0,
        bytes_to_write=sizes[Action.MOVE],
        duplicate_groups=len(removed),
        duplicates_found=counts[Action.TRASH],
        space_wasted_bytes=sizes[Action.TRASH],
        problems=problems,
    )
