"""What becomes of each unit before names are looked at: goes, stays, is refused, is trashed."""

from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.placer import Placed
from models.domain.units import UnitKind
from tasks.plan.copies import Copies
from tasks.plan.intake import Intake
from tasks.plan.work import IN_PLACE, SETTLED, VIRTUAL, Decisions, Fate, Work


class _Decider:
    def __init__(self, intake: Intake) -> None:
        self._in = intake
        options = intake.options
        self._is_virtual = options.mode == VIRTUAL
        self._is_copy = options.operation == OperationType.COPY
        self._skips = options.on_duplicate != OnDuplicate.KEEP and not self._is_virtual
        self._trashes = options.on_duplicate == OnDuplicate.TRASH and not self._is_copy
        self._aliases = intake.files.aliases()
        self.found = Decisions([None] * len(intake.files))
        self._contents: dict[str, int] = {}
        self._copies = Copies(intake)
        self._tails: dict[str, tuple[str, ...]] = {}
        self._index_destination()

    def _index_destination(self) -> None:
        """Note what is at the destination, for `content is there` and `already copied`."""
        if self._is_virtual:
            return
        looks_for_copies = self._is_copy or (
            self._in.options.conflict == ConflictPolicy.SKIP_IDENTICAL
        )
        for position, sha256 in self._in.existing.contents():
            if self._in.existing.value(position, "size_bytes"):
                self._contents.setdefault(sha256, position)
            if looks_for_copies:
                self._copies.add(self._in.existing.keys[position], sha256, -1 - position)
        if self._is_copy:
            for row, key in enumerate(self._in.files.keys):
                address = self._in.placer.namespace.address(key)
                sha256 = None if address is None else self._in.files.sha256(row)
                if address is not None and sha256 is not None:
                    self._copies.add(address, sha256, row)

    def decide(self, leader: int, placed: Placed) -> None:
        """Record what becomes of one unit."""
        members = self._in.files.members(leader)
        fate, reason = self._refused(members) or self._kept(members, placed) or (Fate.GO, "")
        if fate is Fate.GO:
            self.found.work[leader] = self._work(leader, members, placed)
        self.found.fates[leader] = fate
        if reason:
            self.found.reasons[leader] = reason

    def _refused(self, members: tuple[int, ...]) -> tuple[Fate, str] | None:
        files = self._in.files
        unreadable = [row for row in members if files.unreadable[row]]
        if not unreadable:
            return None
        if len(members) == 1:
            problem = files.table.column("problem")[unreadable[0]].as_py()
            return Fate.REFUSE, problem or "its content could not be read"
        return Fate.REFUSE, "goes with a file that could not be read"

    def _kept(self, members: tuple[int, ...], placed: Placed) -> tuple[Fate, str] | None:
        """Return why a unit stays or is trashed, None when it is to go."""
        held = self._held(members)
        if held is not None:
            return Fate.STAY, held
        if placed.stays:
            return Fate.STAY, placed.why or ""
        if self._is_virtual:
            return None
        duplicate = self._duplicate(members)
        if duplicate is not None:
            return duplicate
        if placed.is_here:
            return Fate.STAY, IN_PLACE
        return self._elsewhere(members) if self._skips else None

    def _held(self, members: tuple[int, ...]) -> str | None:
        """Return why a unit stays whatever it is; where one member has to, all of them do."""
        files, namespace = self._in.files, self._in.placer.namespace
        if any(namespace.is_settled(files.keys[row]) for row in members):
            return SETTLED
        if any(files.is_protected(row) for row in members):
            return "in a protected folder"
        if any(row in self._aliases for row in members):
            return "another path of a file that is listed once already"
        return None

    def _duplicate(self, members: tuple[int, ...]) -> tuple[Fate, str] | None:
        """Return what becomes of a unit whose every file is a duplicate of one that stays."""
        duplicates, files = self._in.duplicates, self._in.files
        if not self._skips or not all(row in duplicates.keeper_of for row in members):
            return None
        if self._is_project(members[0]):
            return None
        keeper = files.keys[duplicates.keeper_of[members[0]]]
        if not self._trashes:
            return Fate.STAY, f"duplicate of {keeper}"
        if all(row in duplicates.removable for row in members):
            return Fate.TRASH, f"duplicate of {keeper}"
        return Fate.STAY, f"duplicate of {keeper}, not removable by rule"

    def _elsewhere(self, members: tuple[int, ...]) -> tuple[Fate, str] | None:
        """Return that the destination has every content of a unit already."""
        if not self._contents or self._is_project(members[0]):
            return None
        found = [self._contents.get(self._in.files.sha256(row) or "") for row in members]
        first = found[0]
        if first is None or None in found:
            return None
        self.found.evidence.update(position for position in found if position is not None)
        return Fate.STAY, f"the destination has it already: {self._in.existing.keys[first]}"

    def _is_project(self, leader: int) -> bool:
        unit = self._in.files.units.unit_of.get(leader)
        return unit is not None and unit.kind is UnitKind.PROJECT

    def _work(self, leader: int, members: tuple[int, ...], placed: Placed) -> Work:
        place = placed.place
        remainders = self._tails.setdefault(place.tail, (place.tail,))
        unit = self._in.files.units.unit_of.get(leader)
        is_project = unit is not None and unit.kind is UnitKind.PROJECT
        if unit is not None:
            keys = self._in.files.keys
            remainders = tuple(unit.remainder(keys[row]) for row in members)
            if not is_project:
                remainders = (place.tail, *remainders[1:])
        reserve = max(len(rest.partition("/")[0].encode()) for rest in remainders)
        kept = placed if placed.values is not None else None
        return Work(leader, members, place, remainders, reserve, kept, is_project, placed.why)

    def leave_what_is_copied(self) -> None:
        """Let stay what has its copy at the destination."""
        found = self.found
        for leader, (address, occupants) in self._copies.matched(found.work.values()).items():
            del found.work[leader]
            found.fates[leader] = Fate.STAY
            found.reasons[leader] = f"already there: {address}"
            found.evidence.update(-1 - occupant for occupant in occupants if occupant < 0)


def decide(intake: Intake) -> Decisions:
    """Return the fate of every unit; names at the destination are not looked at yet.

    Args:
        intake: what the plan is made from.
    """
    decider = _Decider(intake)
    for leader, placed in intake.files.placed(intake.placer):
        decider.decide(leader, placed)
    decider.leave_what_is_copied()
    return decider.found
