"""Which of the journal's operations one batch takes: whole units, each in exactly one batch."""

from collections.abc import Iterator, Sequence

from models.domain.operations import Operation, OperationState
from tasks.apply.core import CHUNK_OPERATIONS
from tasks.apply.ports import Journal
from tasks.apply.units import units_of

PAGE_OPERATIONS = 10_000
"""Operations in memory at once while a whole job is walked: about 10 MB."""


def whole_units(journal: Journal, job_id: str, first_seq: int, last_seq: int) -> list[Operation]:
    """Return the units that begin in [first_seq, last_seq], complete.

    A unit that began before belongs to the batch before; one that goes on after the last is taken
    whole.
    """
    before = journal.operations(job_id, after_seq=first_seq - 2, limit=1) if first_seq else []
    span = last_seq - first_seq + 1
    found = journal.operations(job_id, after_seq=first_seq - 1, limit=span)
    if before:
        unit_id = before[0].unit_id
        start = next((n for n, each in enumerate(found) if each.unit_id != unit_id), len(found))
        found = found[start:]
    while found:
        more = journal.operations(job_id, after_seq=found[-1].seq, limit=CHUNK_OPERATIONS)
        same = [each for each in more if each.unit_id == found[-1].unit_id]
        found += same
        if len(same) < CHUNK_OPERATIONS:
            break
    return found


def possibly_ahead(journal: Journal, job_id: str) -> list[Operation]:
    """Return the open operations that storage may be ahead of the journal with, in order.

    All that are copied, and as many planned ones as one chunk takes, the earliest (see the mover).
    """
    copied = journal.operations(job_id, states=[OperationState.COPIED])
    ahead: list[Operation] = []
    for unit in units_of(_planned(journal, job_id)):
        if len(ahead) >= CHUNK_OPERATIONS:
            break
        ahead += unit
    return sorted([*copied, *ahead], key=lambda each: each.seq)


def _planned(journal: Journal, job_id: str) -> Sequence[Operation]:
    """Return planned operations up to the end of the unit that fills a chunk."""
    found: list[Operation] = []
    while True:
        after = found[-1].seq if found else -1
        states = [OperationState.PLANNED]
        page = journal.operations(job_id, states=states, after_seq=after, limit=CHUNK_OPERATIONS)
        found += page
        if len(page) < CHUNK_OPERATIONS:
            return found
        units = list(units_of(found))
        if len(found) - len(units[-1]) >= CHUNK_OPERATIONS:
            return found


def walk(journal: Journal, job_id: str, *states: OperationState) -> Iterator[Operation]:
    """Yield a job's operations in order, a page in memory at once."""
    after = -1
    while page := journal.operations(
        job_id, states=states or None, after_seq=after, limit=PAGE_OPERATIONS
    ):
        yield from page
        after = page[-1].seq
