"""What goes together: operations of one unit, and a newcomer with what gives way to it."""

from collections.abc import Iterator, Sequence

from models.domain.operations import Operation
from models.domain.paths import fold
from models.domain.plans import Action

Place = tuple[str, str]
"""Root and key, folded: two spellings that some storage may take for one are one place here."""


Address = tuple[str, str]
"""Root and key as they are written."""


def source_of(operation: Operation) -> Address:
    """Return the file that an operation takes."""
    return operation.source_url, operation.source_key


def destination_of(operation: Operation) -> Address:
    """Return the file that an operation makes."""
    return operation.destination_url, operation.destination_key


def source_place(operation: Operation) -> Place:
    """Return where an operation takes from."""
    return operation.source_url, fold(operation.source_key)


def destination_place(operation: Operation) -> Place:
    """Return where an operation writes to."""
    return operation.destination_url, fold(operation.destination_key)


def units_of(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Yield operations by unit, in order.

    Members of a unit follow each other. A file that gives way belongs to the unit of the newcomer
    right after it, so that it never gives way to nobody.
    """
    unit: list[Operation] = []
    for operation in operations:
        if unit and not _belongs(unit[-1], operation):
            yield unit
            unit = []
        unit.append(operation)
    if unit:
        yield unit


def _belongs(before: Operation, operation: Operation) -> bool:
    if before.unit_id and before.unit_id == operation.unit_id:
        return True
    if before.action != Action.DISPLACE:
        return False
    return source_place(before) == destination_place(operation)


def split(unit: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Return a unit's first part and the rest, which writes where the first part takes from.

    Only where taking away is a copy and a later deletion: there the journal must have heard of the
    first part before its sources go, and the rest must wait for that.
    """
    taken: set[Place] = set()
    for index, operation in enumerate(unit):
        if destination_place(operation) in taken:
            return list(unit[:index]), list(unit[index:])
        taken.add(source_place(operation))
    return list(unit), []
