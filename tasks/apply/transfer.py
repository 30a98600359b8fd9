"""Content from one place to another, or the proof that it went before; the steps of a carrier."""

import contextlib
from collections.abc import Mapping, Sequence

from models.domain.errors import ExistsError, MissingError, StaleError
from models.domain.manifest import ManifestRow
from models.domain.operations import REMOVE, Operation, OperationState, Outcome
from models.domain.plans import Action
from storage.store import RenameUnsupportedError, Store
from tasks.apply import evidence
from tasks.apply.evidence import GrowingError
from tasks.apply.units import Address, Place, destination_place, source_place


class Transfer:
    """Moves and copies content between the roots it was given.

    Args:
        stores: root URL to store; every URL that the operations name.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self.stores = stores
        self._arrivals: dict[Place, set[tuple[int, str]]] = {}
        self._adopts: dict[tuple[str, str], bool] = {}

    def expect(self, operations: Sequence[Operation]) -> None:
        """Learn what the job brings where, so that a newcomer is not taken for a changed source.

        After a crash both a displacement and the arrival in its place may have happened: the
        source's name is there again, with the newcomer's content.
        """
        self._arrivals = {}
        for each in operations:
            content = (each.size_bytes, each.sha256)
            self._arrivals.setdefault(destination_place(each), set()).add(content)

    def may_rename(self, operation: Operation) -> bool:
        """Return whether the operation may be one atomic step of the storage."""
        if operation.action == Action.COPY:
            return False
        pair = (operation.source_url, operation.destination_url)
        found = self._adopts.get(pair)
        if found is None:  # asked once a pair: it costs two system calls, a rename costs five
            target, source = self.stores[pair[1]], self.stores[pair[0]]
            found = self._adopts[pair] = target.can_adopt(source)
        return found

    def _source(self, operation: Operation) -> Store:
        return self.stores[operation.source_url]

    def _source_row(self, operation: Operation) -> ManifestRow | None:
        """Return what is at the source; None when it is gone or the job's newcomer is there."""
        store = self._source(operation)
        row = evidence.stat(store, operation.source_key)
        if row is None or row.version == operation.version:
            return row
        for size_bytes, sha256 in self._arrivals.get(source_place(operation), ()):
            is_candidate = row.size_bytes == size_bytes and sha256 != operation.sha256
            if is_candidate and store.hash(operation.source_key).sha256 == sha256:
                return None
        return row

    def _confirmed_version(self, operation: Operation) -> str:
        """Return the source's version with the planned content; see `evidence`.

        Raises:
            MissingError: it is gone, or the job's newcomer is there.
        """
        if self._source_row(operation) is None:
            raise MissingError("the source is gone")
        return evidence.confirmed_version(self._source(operation), operation)

    def _transfer(self, operation: Operation) -> Outcome:
        try:
            if self.may_rename(operation):
                with contextlib.suppress(RenameUnsupportedError):
                    return self._rename(operation)
            version = self._received(operation)
        except MissingError:
            return self._already_there(operation)
        except ExistsError:
            if self._source_row(operation) is not None:
                raise
            return self._already_there(operation)
        return outcome_of(operation, OperationState.COPIED, version, operation.receipt)

    def _rename(self, operation: Operation) -> Outcome:
        """Rename on one file system; a version that differs is believed only after a full read."""
        source, target = self._source(operation), self.stores[operation.destination_url]
        keys = (operation.source_key, operation.destination_key)
        try:
            new = target.adopt(source, *keys, version=operation.version)
        except StaleError:
            version = self._confirmed_version(operation)
            try:
                new = target.adopt(source, *keys, version=version)
            except StaleError as error:
                raise GrowingError("the file is still being written") from error
        return outcome_of(operation, OperationState.DONE, new, operation.receipt)

    def _received(self, operation: Operation) -> str:
        """Return the version of our verified copy: made now, or recognized by its mark."""
        source = self._source(operation)
        try:
            return self.stores[operation.destination_url].receive(
                source,
                operation.source_key,
                operation.destination_key,
                mark=operation.mark,
                expected=operation,
                source_version=operation.version,
                modified_ns=operation.modified_ns,
            )
        except StaleError as error:
            self._confirmed_version(operation)  # says what is wrong, if anything is
            raise GrowingError("the file is still being written") from error

    def _already_there(self, operation: Operation) -> Outcome:
        """Return how far an operation is whose source is gone: its content is at the destination.

        Raises:
            MissingError: it is not; somebody else took the source away.
        """
        if operation.action == REMOVE:
            evidence.require_root(self._source(operation))
            return outcome_of(operation, OperationState.DONE, None, operation.receipt)
        store = self.stores[operation.destination_url]
        version = evidence.holds(store, operation.destination_key, operation)
        if version is None or operation.action == Action.COPY:
            evidence.require_root(self._source(operation))
            raise MissingError("the source is gone")
        is_renamed = self.may_rename(operation)
        state = OperationState.DONE if is_renamed else OperationState.COPIED
        return outcome_of(operation, state, version, operation.receipt)

    def _carry(self, operation: Operation, source: Address, target: Address, version: str) -> None:
        """Move the operation's content backwards; repeatable like everything.

        Args:
            operation: whose content it is.
            source: URL and key where it is now, as `version`.
            target: URL and key where it goes.
            version: what storage knows it by.
        """
        store, other = self.stores[source[0]], self.stores[target[0]]
        key, new_key = source[1], target[1]
        if other.can_adopt(store):
            with contextlib.suppress(RenameUnsupportedError):
                other.adopt(store, key, new_key, version=version)
                return
        mark = back_mark(operation)
        other.receive(
            store,
            key,
            new_key,
            mark=mark,
            expected=operation,
            source_version=version,
            modified_ns=operation.modified_ns,
        )
        other.settle(mark, new_key)
        store.delete(key, version=version)

    def _settle(self, operation: Operation) -> None:
        """Drop what storage keeps to recognize our copy; the journal knows it, or it is gone."""
        store = self.stores[operation.destination_url]
        store.settle(operation.mark, operation.destination_key)


def back_mark(operation: Operation) -> str:
    """Return the name by which storage knows what an operation brings back."""
    return f"{operation.mark}-back"


def outcome_of(
    operation: Operation,
    state: OperationState,
    version: str | None = None,
    receipt: dict[str, str] | None = None,
) -> Outcome:
    """Return what became of an operation."""
    return Outcome(
        seq=operation.seq, state=state, destination_version=version, receipt=receipt, error=None
    )
