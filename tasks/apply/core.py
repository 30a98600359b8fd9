"""The mover: a plan's operations, carried out so that no byte is ever lost.

Why a crash anywhere is harmless although the journal is written in batches:

1. Before anything is touched, one transaction holds every operation (`planned`).
2. Work goes in chunks of at most `CHUNK_OPERATIONS` operations or `CHUNK_S` seconds. So when a
   worker dies, storage is ahead of the journal by at most one chunk, never behind: outcomes are
   recorded only after the chunk's changes are durable (`Store.batch` ends first).
3. Being ahead is always recognizable from storage alone. A rename is atomic and keeps the bytes:
   source gone and the planned content at the destination means it happened; both present means it
   did not. A copy is published under an ownership mark, so a repeat finds its own and nobody
   else's. Nothing is believed by name: content is read.
4. The only step that removes a name for good, deleting a source after copying, happens after the
   transaction that says `copied`, and only after the destination was looked at again.
5. The mark is dropped after `copied` is recorded, since from then on the journal knows whose the
   copy is, and before `done`, since nobody looks at finished operations again: no debris.

Why a second worker is harmless: the journal accepts records of the newest lease only, and a worker
that had no accepted record for `CHUNK_S` asks for one before it touches storage again. A lease
lives many times longer, so a worker that slept through its own lease stops before it does anything.
Were it stopped exactly between the question and the next call, it meets the facts of point 3.
"""

import errno
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from models.domain.errors import FileOrganizerError, Kind
from models.domain.operations import Operation, OperationState, Outcome
from storage.store import Store
from tasks.apply.carrier import Carrier
from tasks.apply.evidence import GrowingError, RootGoneError
from tasks.apply.ports import Journal
from tasks.apply.units import Place, destination_place, source_place, split, units_of

CHUNK_OPERATIONS = 2000
"""Operations per transaction and per sync of the folders they changed. Moving 10,000 files took
2.5 s with 2,000 and 11.5 s with 500 on a disk where a bare rename loop took about 1 s: syncing a
folder costs milliseconds there, and each chunk syncs its folders once."""

CHUNK_S = 3.0
"""Seconds of work that a resume looks at again at most: below the ten in which a cancellation has
to be heard, and far below the life of any lease (30 s by default)."""

IN_USE = frozenset({errno.EBUSY, errno.ETXTBSY})
"""What the system says of one file in use (a mount point, a running program): waiting inside the
job would not help, so it is deferred instead of trying the whole batch again."""

Staged = tuple[Operation, Outcome]


class Mover:
    """Carries out journaled operations of one job under one lease.

    Args:
        stores: the roots that the job's operations name.
        journal: where outcomes are recorded.
        job_id: the job.
        epoch: number of the lease; records of older epochs are refused.
        may_continue: asked between chunks; False stops there, with everything so far whole.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        journal: Journal,
        *,
        job_id: str,
        epoch: int,
        may_continue: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = {store.url: store for store in stores}
        self._carrier = Carrier(self._stores)
        self._journal = journal
        self._job_id = job_id
        self._epoch = epoch
        self._may_continue = may_continue
        self._clock = clock
        self._accepted_at: float | None = None

    def apply(self, operations: Sequence[Operation]) -> Counter[str]:
        """Carry out what is open of some operations and return how many ended in which state.

        Args:
            operations: whole units, in order of `seq`, as the journal has them now.

        Returns:
            Operations by state reached in this call; finished ones are passed over.

        Raises:
            BusyError: storage is occupied; what was done is recorded, try again later.
            ConflictError: another worker holds the job.
            BrokenError: a root is gone.
        """
        counts: Counter[str] = Counter()
        self._carrier.expect(operations)
        queue = deque(units_of(operations))
        while queue and self._may_continue():
            counts.update(outcome.state for outcome in self._chunk(queue))
        return counts

    def reconcile(self, operations: Sequence[Operation]) -> Counter[str]:
        """Bring the journal level with storage, doing nothing new; before an undo of a job.

        What storage is ahead is finished, and what was only prepared is cleared away.

        Args:
            operations: the job's open ones, in order of `seq`; see the module for how many of the
                planned ones can be ahead.

        Returns:
            Operations by state reached; those that never happened are not among them.
        """
        self._carrier.expect(operations)
        self._require_lease()
        staged: list[Staged] = []
        with self._batches():
            for operation in operations:
                if operation.state is OperationState.COPIED:
                    staged.append((operation, _copied_before(operation)))
                elif (outcome := self._carrier.found(operation)) is not None:
                    staged.append((operation, outcome))
        return Counter(outcome.state for outcome in self._finish(staged))

    def _chunk(self, queue: deque[list[Operation]]) -> list[Outcome]:
        """Stage some units, record them, complete what was copied, record that; see the module."""
        self._require_lease()
        staged: list[Staged] = []
        stopped_by: FileOrganizerError | None = None
        with self._batches():
            try:
                self._stage_some(queue, staged)
            except FileOrganizerError as error:
                stopped_by = error  # what was staged before is whole, and recorded below
        finished = self._finish(staged, is_stopping=stopped_by is not None)
        if stopped_by is not None:
            raise stopped_by
        return finished

    def _finish(self, staged: list[Staged], *, is_stopping: bool = False) -> list[Outcome]:
        """Record what was staged and complete what was copied, unless work has to stop now."""
        self._record([pair[1] for pair in staged if _is_news(*pair)])
        if is_stopping:
            return []
        final = [pair[1] for pair in staged if pair[1].state is not OperationState.COPIED]
        return final + self._complete([pair for pair in staged if _is_copied(pair)])

    def _stage_some(self, queue: deque[list[Operation]], staged: list[Staged]) -> None:
        """Stage units from the queue until the chunk is full, long, or waits for itself."""
        pending: set[Place] = set()
        while queue and not self._is_due() and len(staged) < CHUNK_OPERATIONS:
            unit = queue[0]
            if pending and any(destination_place(each) in pending for each in unit):
                return
            queue.popleft()
            rest = self._stage_unit(unit, staged)
            if rest:
                queue.appendleft(rest)
                return
            pending.update(
                source_place(operation)
                for operation, outcome in staged[-len(unit) :]
                if outcome.state is OperationState.COPIED
            )

    def _stage_unit(self, unit: list[Operation], staged: list[Staged]) -> list[Operation]:
        """Stage the open members of a unit, all or none; return those that must wait for them."""
        copied = [each for each in unit if each.state is OperationState.COPIED]
        staged.extend((each, _copied_before(each)) for each in copied)
        planned = [each for each in unit if each.state is OperationState.PLANNED]
        if copied:
            return planned  # one may take the place of a copied one's source, once that is gone
        if len(planned) == 1 and len(unit) == 1:
            staged.append((unit[0], self._stage_alone(unit[0])))
            return []
        rest: list[Operation] = []
        if not all(self._carrier.may_rename(each) for each in planned):
            planned, rest = split(planned)
        outcomes: list[Staged] = []
        try:
            for operation in (*planned, *rest):
                self._carrier.check(operation)
            outcomes.extend((each, self._carrier.stage(each)) for each in planned)
        except FileOrganizerError as error:
            reason = self._refusal(error)
            members = [*planned, *rest]
            outcomes = [(each, self._put_back(each, reason)) for each in reversed(members)]
            rest = []
        staged.extend(outcomes)
        return rest

    def _stage_alone(self, operation: Operation) -> Outcome:
        try:
            return self._carrier.stage(operation)
        except FileOrganizerError as error:
            return self._put_back(operation, self._refusal(error))

    def _put_back(self, operation: Operation, reason: Outcome) -> Outcome:
        """Return the refusal of one operation after storage has nothing of it any more.

        Where that is not possible, because somebody took its old place meanwhile, it is done.
        """
        try:
            self._carrier.unstage(operation)
        except FileOrganizerError as error:
            kept = self._refusal(error)
            try:
                outcome = self._carrier.stage(operation)
            except FileOrganizerError:
                return replace(kept, seq=operation.seq)
            return replace(outcome, error=f"{reason.error}; it could not be put back: {kept.error}")
        return replace(reason, seq=operation.seq)

    def _refusal(self, error: FileOrganizerError) -> Outcome:
        """Return how an error of one file is counted; `seq` is filled in by the caller.

        Raises:
            FileOrganizerError: the same error, when it is not about this file.
        """
        is_in_use = getattr(error.__cause__, "errno", None) in IN_USE
        if isinstance(error, RootGoneError) or (error.kind is Kind.BUSY and not is_in_use):
            raise error
        if isinstance(error, GrowingError) or is_in_use:
            state = OperationState.DEFERRED
        elif error.kind is Kind.BROKEN:
            state = OperationState.FAILED
        else:
            state = OperationState.REFUSED
        return Outcome(seq=-1, state=state, error=str(error))

    def _complete(self, copied: list[Staged]) -> list[Outcome]:
        """Settle copies that the journal knows, remove their sources, record each as done."""
        results: list[Outcome] = []
        queue = deque(copied)
        while queue:
            self._require_lease()
            finished: list[Outcome] = []
            with self._batches():
                while queue and not self._is_due():
                    operation, outcome = queue.popleft()
                    finished.append(self._completed(operation, outcome))
            self._record(finished)
            results.extend(finished)
        return results

    def _completed(self, operation: Operation, outcome: Outcome) -> Outcome:
        known = replace(
            operation,
            state=OperationState.COPIED,
            destination_version=outcome.destination_version,
            receipt=outcome.receipt,
        )
        try:
            done = self._carrier.complete(known)
        except FileOrganizerError as error:
            return replace(self._refusal(error), seq=operation.seq)
        return done

    def _require_lease(self) -> None:
        """Ask the journal whether the lease still holds, where that was not heard lately.

        Raises:
            ConflictError: another worker holds the job.
        """
        if self._accepted_at is None or self._is_due():
            self._record([])

    def _is_due(self) -> bool:
        return self._accepted_at is None or self._clock() - self._accepted_at >= CHUNK_S

    def _record(self, outcomes: list[Outcome]) -> None:
        self._journal.record(self._job_id, self._epoch, outcomes)
        self._accepted_at = self._clock()

    @contextmanager
    def _batches(self) -> Generator[None]:
        """Make what happens inside durable at the exit, in every root."""
        with ExitStack() as stack:
            for store in self._stores.values():
                stack.enter_context(store.batch())
            yield


def _is_copied(pair: Staged) -> bool:
    return pair[1].state is OperationState.COPIED


def _is_news(operation: Operation, outcome: Outcome) -> bool:
    """Return whether the journal does not know an outcome yet."""
    return operation.state is not OperationState.COPIED or not _is_copied((operation, outcome))


def _copied_before(operation: Operation) -> Outcome:
    """Return what the journal says of a copy of an earlier attempt."""
    return Outcome(
        seq=operation.seq,
        state=OperationState.COPIED,
        destination_version=operation.destination_version,
        receipt=operation.receipt,
    )
