"""One operation on storage: staged, completed, or taken back; the journal is not known here."""

import contextlib
from dataclasses import replace

from models.domain.errors import BrokenError, ConflictError, ExistsError, MissingError, StaleError
from models.domain.operations import REMOVE, Operation, OperationState, Outcome
from models.domain.plans import Action
from tasks.apply import evidence
from tasks.apply.evidence import RootGoneError
from tasks.apply.planned import trash_key
from tasks.apply.transfer import Transfer, back_mark, outcome_of
from tasks.apply.units import destination_of, source_of


class Carrier(Transfer):
    """Carries out operations between the roots it was given.

    Every method may be repeated after a crash at any point: what was already done is recognized
    from storage alone, by content, by the store's ownership mark, and never by a name's existence.
    """

    def check(self, operation: Operation) -> None:
        """Read the preconditions of an operation again without touching anything.

        Raises:
            FileOrganizerError: it must not be carried out, and why.
        """
        if operation.action == Action.ASSIGN:
            return
        try:
            if operation.action == Action.TRASH:
                evidence.last_copy_proof(self.stores, operation)
            else:
                self._confirmed_version(operation)
        except MissingError:
            self._already_there(operation)

    def stage(self, operation: Operation) -> Outcome:
        """Return what became of an open operation up to where the journal must hear of it.

        `done` where storage has one atomic step for it; `copied` where the destination is published
        and verified and the source is still there, so that `complete` carries on.

        Raises:
            FileOrganizerError: it must not or could not be carried out; the source is intact.
        """
        if operation.action == Action.ASSIGN:
            return outcome_of(operation, OperationState.DONE)
        if operation.action == REMOVE:
            return self._remove(operation)
        is_self = operation.source_url == operation.destination_url and (
            operation.source_key == operation.destination_key
        )
        if is_self:
            raise ConflictError("source and destination are one file")
        if operation.action == Action.TRASH:
            return self._trash(operation)
        return self._transfer(operation)

    def complete(self, operation: Operation) -> Outcome:
        """Return what became of a `copied` operation, after its source was removed.

        The destination is looked at again first, and the source goes only while it is what was
        planned; a keeper must still be there. Otherwise the copy is taken back.

        Raises:
            FileOrganizerError: the source stays, and why.
        """
        try:
            version, receipt = self._source_removed(operation)
        except RootGoneError:
            raise
        except (ConflictError, BrokenError):
            self._settle(operation)
            raise
        self._settle(operation)
        return outcome_of(operation, OperationState.DONE, version, receipt)

    def found(self, operation: Operation) -> Outcome | None:
        """Return how far a planned operation got before a crash; None when it never happened."""
        if operation.action in {Action.ASSIGN, REMOVE}:
            return None
        store = self.stores[operation.destination_url]
        with contextlib.suppress(ConflictError, MissingError):
            if self._source_row(operation) is None:
                return self._already_there(operation)
            if evidence.stat(store, operation.destination_key) is not None:
                # The key is taken, so this writes nothing: it only tells whether it is ours.
                version = self._received(operation)
                return outcome_of(operation, OperationState.COPIED, version, operation.receipt)
        store.abandon(operation.mark)
        return None

    def unstage(self, operation: Operation) -> None:
        """Put back what `stage` did to an operation that the journal still calls planned."""
        if operation.action in {Action.ASSIGN, REMOVE}:
            return
        store = self.stores[operation.destination_url]
        key = operation.destination_key
        is_source_there = self._source_row(operation) is not None
        if is_source_there and evidence.stat(store, key) is not None:
            with contextlib.suppress(ConflictError, MissingError):
                # The key is taken, so this writes nothing: it only tells whether it is ours.
                self._take_back(operation, self._received(operation))
                self._settle(operation)
        elif not is_source_there and self.may_rename(operation):
            version = evidence.holds(store, key, operation)
            if version is not None:
                self._carry(operation, destination_of(operation), source_of(operation), version)
        store.abandon(operation.mark)

    def _trash(self, operation: Operation) -> Outcome:
        """Move a duplicate to the trash, proving before and after that its content lives on."""
        try:
            version, keeper = evidence.last_copy_proof(self.stores, operation)
        except MissingError:
            return self._prove_again(operation, self._already_there(operation))
        receipt = evidence.receipt_of(operation, version, keeper)
        outcome = self._transfer(replace(operation, version=version, receipt=receipt))
        is_moved = outcome.state is OperationState.DONE
        if is_moved and keeper is not None and not evidence.is_still(self.stores, keeper):
            return self._prove_again(operation, outcome)
        return outcome

    def _prove_again(self, operation: Operation, outcome: Outcome) -> Outcome:
        """Return the outcome of a member that lies in the trash with a fresh proof.

        Raises:
            ConflictError: the keeper is gone or changed; the member was brought back.
        """
        version = outcome.destination_version or ""
        try:
            keeper = evidence.find_keeper(self.stores, operation)
        except ConflictError:
            evidence.require_root(self._source(operation))
            self._carry(operation, destination_of(operation), source_of(operation), version)
            raise
        return replace(outcome, receipt=evidence.receipt_of(operation, version, keeper))

    def _remove(self, operation: Operation) -> Outcome:
        """Delete a copy for good; its content was read in the keeper a moment ago."""
        try:
            version, keeper = evidence.last_copy_proof(self.stores, operation)
            if keeper is not None and not evidence.is_still(self.stores, keeper):
                raise ConflictError("the file to keep changed meanwhile, so this copy stays")
            self._source(operation).delete(operation.source_key, version=version)
        except MissingError:
            return self._already_there(operation)
        receipt = evidence.receipt_of(operation, version, keeper)
        return outcome_of(operation, OperationState.DONE, None, receipt)

    def _source_removed(self, operation: Operation) -> tuple[str, dict[str, str] | None]:
        """Return the destination's version and the receipt after the source is gone."""
        is_source_there = self._source_row(operation) is not None
        version = self._recheck(operation, is_source_there=is_source_there)
        receipt = operation.receipt
        if operation.action != Action.COPY and is_source_there:
            try:
                receipt = self._kept(operation)
                self._delete_source(operation)
            except ConflictError:
                self._take_back(operation, version)
                raise
        if operation.action == Action.TRASH:
            receipt = self._still_kept(replace(operation, receipt=receipt), version)
        return version, receipt

    def _still_kept(self, operation: Operation, version: str) -> dict[str, str] | None:
        """Return the receipt of a member whose source is gone, its keeper looked at once more.

        Two jobs may each keep what the other removes. Each looks after it removed, so the later
        one sees that its keeper is gone, and brings its member back.

        Raises:
            ConflictError: the keeper is gone or changed; the member was brought back.
        """
        if self._is_as_told(operation.receipt):
            return operation.receipt
        done = outcome_of(operation, OperationState.DONE, version, operation.receipt)
        return self._prove_again(operation, done).receipt

    def _is_as_told(self, receipt: dict[str, str] | None) -> bool:
        """Return whether the keeper that a receipt names is still the version that was read."""
        if receipt is None or "kept_key" not in receipt:
            return False
        row = evidence.stat(self.stores[receipt["kept_url"]], receipt["kept_key"])
        return row is not None and row.version == receipt["kept_version"]

    def _take_back(self, operation: Operation, version: str) -> None:
        """Remove our copy at the destination: for good while the source has its content.

        Where the source was edited meanwhile, the copy may hold the last of the planned bytes, so
        it goes to the job's trash.
        """
        store = self.stores[operation.destination_url]
        key = operation.destination_key
        if evidence.holds(self._source(operation), operation.source_key, operation) is not None:
            # It may be there because an earlier attempt died while it brought the copy back.
            self._source(operation).settle(back_mark(operation), operation.source_key)
            store.delete(key, version=version)
        else:
            # Where even the trash is taken it stays: nothing is lost, and the outcome tells.
            with contextlib.suppress(ExistsError):
                trash = (operation.destination_url, trash_key(operation.job_id, key))
                self._carry(operation, destination_of(operation), trash, version)

    def _recheck(self, operation: Operation, *, is_source_there: bool) -> str:
        """Return the destination's version; it must have the content while the source goes."""
        store = self.stores[operation.destination_url]
        row = evidence.stat(store, operation.destination_key)
        if row is not None and row.version == operation.destination_version:
            return row.version
        version = row and evidence.holds(store, operation.destination_key, operation)
        if version:
            return version
        if row is not None and not is_source_there:
            return row.version  # moved, and edited by somebody since
        evidence.require_root(store)
        what = "vanished" if row is None else "was changed"
        raise BrokenError(f"the copy at the destination {what} before the source was removed")

    def _kept(self, operation: Operation) -> dict[str, str] | None:
        """Return the receipt of a copied operation after looking for the keeper once more.

        Raises:
            ConflictError: it is gone or changed; the member must stay.
        """
        if operation.action != Action.TRASH or self._is_as_told(operation.receipt):
            return operation.receipt
        keeper = evidence.find_keeper(self.stores, operation)
        return evidence.receipt_of(operation, operation.version, keeper)

    def _delete_source(self, operation: Operation) -> None:
        """Delete the source while it is what was planned.

        Raises:
            StaleError: it was changed meanwhile.
        """
        store = self._source(operation)
        try:
            store.delete(operation.source_key, version=operation.version)
        except MissingError:
            return
        except StaleError:
            try:
                version = self._confirmed_version(operation)
                store.delete(operation.source_key, version=version)
            except MissingError:
                return
