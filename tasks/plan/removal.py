"""Removing duplicates: which members may go, each with the file that stays for it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from models.domain.decisions import Decisions
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.jobs import OrganizeOptions, RemovalOptions
from models.domain.plans import Action, Move
from tasks.plan.removal_files import GroupedFile, GroupedFiles
from tasks.plan.removal_groups import chosen_groups
from tasks.plan.rows import unit_id
from warehouse.schemas.arrow import to_rows, to_table

ALMOST = 0.999
"""The most a lookalike is said to be: 100.0 % is for equal bytes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That a file may go because of another one.

    Attributes:
        keeper: row of the file that stays.
        group: what says so: a member of its group, with class and similarity.
    """

    keeper: int
    group: DuplicateRow


class _Removal:
    """Decides which of the claimed files go."""

    def __init__(self, files: GroupedFiles, decisions: Decisions) -> None:
        self._files = files
        self._decisions = decisions
        self.claims: dict[int, Claim] = {}
        self.refused: dict[int, str] = {}
        self.kept: dict[int, str] = {}

    def claim_equal(self, members: Sequence[DuplicateRow]) -> None:
        """Claim the members of a group of equal bytes for their keeper."""
        keeper = self._keeper(members)
        if keeper is None:
            return
        for member in members:
            row = self._files.row_of.get(member.key)
            if row is None or row == keeper:
                continue
            if self._files[row].sha256 == self._files[keeper].sha256:
                self.claims[row] = Claim(keeper, member)

    def claim_alike(self, members: Sequence[DuplicateRow], least: float | None) -> None:
        """Claim contents that are only alike, with all files that hold them, for the keeper."""
        keeper = self._keeper(members)
        if keeper is None:
            return
        for member in members:
            row = self._files.row_of.get(member.key)
            if row is None or row == keeper or member.is_keeper:
                continue
            if least is not None and member.similarity_ratio < least:
                continue
            sha256 = self._files[row].sha256
            if sha256 is None or sha256 == self._files[keeper].sha256:
                continue
            reason = self._decided(sha256, self._files[keeper].sha256 or "")
            for each in self._files.holding(sha256):
                if not reason:
                    self.claims[each] = Claim(keeper, member)
                elif each not in self.claims:  # further copies of it may go, proven by it
                    self.refused[each] = reason

    def _keeper(self, members: Sequence[DuplicateRow]) -> int | None:
        keeper = next((member for member in members if member.is_keeper), None)
        row = None if keeper is None else self._files.row_of.get(keeper.key)
        if row is None or keeper is None or self._files[row].sha256 is None:
            return None
        self.kept[row] = f"stays: {keeper.keep_reason}"
        return row

    def _decided(self, sha256: str, keeper: str) -> str | None:
        if sha256 in self._decisions.keepers:
            return "a person decided that it stays"
        if self._decisions.is_apart(sha256, keeper):
            return "a person decided that it is no duplicate"
        return None

    def claim_only(self, keys: Collection[str]) -> None:
        """Drop the claims of all files but some that were named."""
        named = set(keys)
        self.claims = {
            row: claim for row, claim in self.claims.items() if self._files[row].key in named
        }

    def settle(self) -> list[tuple[int, ...]]:
        """Return the units that go, by their first row; what may not is in `refused`."""
        claimed = set(self.claims)
        for row in sorted(claimed):
            reason = self._objection(row, claimed)
            if reason is not None:
                self.refused.setdefault(row, reason)
        going: list[tuple[int, ...]] = []
        for leader in sorted({self._files.members(row)[0] for row in claimed}):
            members = self._files.members(leader)
            stopped = [row for row in members if row not in claimed or row in self.refused]
            if not stopped:
                going.append(members)
                continue
            for row in members:
                if row in claimed:
                    self.refused.setdefault(row, self._companion_reason(stopped))
        return going

    def _objection(self, row: int, claimed: set[int]) -> str | None:
        """Return why a claimed file may not go, whatever goes with it."""
        file, claim = self._files[row], self.claims[row]
        if claim.keeper in claimed:
            return "the file to keep is to go, too"
        if file.is_protected:
            return "in a protected folder"
        if file.problem is not None:
            return f"its content is not what it claims to be: {file.problem}"
        if self._files.has_names(row):
            return "one of several names of the same bytes: removing it frees nothing"
        if self._files.is_in_project(row):
            return "part of a project"
        return None

    def _companion_reason(self, stopped: Sequence[int]) -> str:
        reason = next((self.refused[row] for row in stopped if row in self.refused), None)
        return f"goes with a file that stays: {reason or 'that one is no duplicate'}"


def removal_moves(
    fingerprints: pa.Table,
    duplicates: pa.Table,
    near: pa.Table | None = None,
    *,
    options: OrganizeOptions,
    decisions: Decisions | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> pa.Table:
    """Return what removes duplicates, in the order of application.

    Of groups of equal bytes every member but the keeper may go by rule. Of files that are only
    alike a member goes when its group was named, or when all groups were asked for with a
    threshold; with a content go all files that hold it, and the keeper of the lookalike proves
    them. What goes together (companions) goes as one or stays as one. Nothing that stays for
    another file goes itself, in any group.

    Args:
        fingerprints: (n,) rows of `Fingerprint` of the root, any order.
        duplicates: (m,) rows of `DuplicateRow`: groups of equal bytes.
        near: (k,) rows of `DuplicateRow`: groups of lookalikes; None when none were looked for.
        options: `removal`, and `protected`.
        decisions: what people decided.
        thresholds: the smallest similarity that was looked for, by media.

    Returns:
        (l,) rows of `Move`: what goes by unit, then what was chosen and may not go, then keepers.

    Raises:
        MissingError: no group begins as one that was named.
        InvalidError: several do.
    """
    removal = options.removal or RemovalOptions()
    exact, alike = chosen_groups(
        to_rows(duplicates, DuplicateRow),
        to_rows(near, DuplicateRow) if near is not None else [],
        removal,
    )
    keys = {member.key for group in (*exact, *alike) for member in group}
    files = GroupedFiles(fingerprints, duplicates, keys, options)
    work = _Removal(files, decisions or Decisions())
    for group in exact:
        if files.is_of(group[0].key, removal.media):
            work.claim_equal(group)
    for group in alike:
        work.claim_alike(group, removal.threshold)
    if removal.files:
        work.claim_only(removal.files)
    return to_table(list(_moves(work, files, work.settle(), removal, thresholds or {})), Move)


def _moves(
    work: _Removal,
    files: GroupedFiles,
    going: Sequence[Sequence[int]],
    removal: RemovalOptions,
    thresholds: Mapping[str, float],
) -> Iterator[Move]:
    """Yield the rows of a plan."""
    seq = 0
    gone = {row for unit in going for row in unit}
    for unit in going:
        for row in unit:
            claim = work.claims[row]
            threshold = removal.threshold
            if claim.group.truth_class != TruthClass.FULL_HASH and threshold is None:
                threshold = thresholds.get(claim.group.group_id.partition("-")[0])
            keeper = files[claim.keeper]
            yield _row(
                files[row],
                seq,
                unit_id(files[unit[0]].key),
                Action.TRASH,
                _why(claim, keeper.key),
                claim=claim,
                keeper=keeper,
                threshold=threshold,
            )
            seq += 1
    for action, reasons in ((Action.REFUSE, work.refused), (Action.SKIP, work.kept)):
        for row in sorted(reasons):
            if row in gone or (action is Action.SKIP and row in work.refused):
                continue
            yield _row(files[row], seq, unit_id(files[row].key), action, reasons[row])
            seq += 1


def _why(claim: Claim, keeper: str) -> str:
    if claim.group.truth_class == TruthClass.FULL_HASH:
        return f"duplicate of {keeper}"
    return f"{min(claim.group.similarity_ratio, ALMOST):.1%} like {keeper}"


def _row(
    file: GroupedFile,
    seq: int,
    unit: str,
    action: Action,
    reason: str,
    *,
    claim: Claim | None = None,
    keeper: GroupedFile | None = None,
    threshold: float | None = None,
) -> Move:
    is_alike = claim is not None and claim.group.truth_class != TruthClass.FULL_HASH
    return Move(
        seq=seq,
        unit_id=unit,
        action=action.value,
        source_key=file.key,
        destination_key=None,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
        sha256=file.sha256,
        version=file.version,
        keeper_key=None if keeper is None else keeper.key,
        keeper_sha256=None if keeper is None else keeper.sha256,
        truth_class=None if claim is None else claim.group.truth_class,
        similarity_ratio=None if claim is None else claim.group.similarity_ratio,
        threshold_ratio=threshold if is_alike else None,
        reason=reason,
    )
