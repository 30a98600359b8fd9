"""What stands in the way of a place, as far as the plan has come."""

from dataclasses import dataclass, field

from models.domain.organizing import OperationType
from models.domain.templates import Place
from models.domain.units import UnitKind
from tasks.plan.intake import Intake
from tasks.plan.names import Names, folders_of, stems_of_interest
from tasks.plan.work import VIRTUAL, Decisions, Fate, Work

BLOCKED = -(1 << 60)
"""Occupant that is no file: a link or a socket."""


@dataclass(slots=True)
class Look:
    """What stands in the way of one candidate place.

    Attributes:
        waits_for: a unit whose own turn comes first.
        file_above: whether a file stands where a folder is needed.
        in_project: whether the place lies in a project, which nothing strange may join.
        is_odd: a folder has the name, or a stranger would be taken for a companion.
        occupants: member and who has its place.
        claimed: member and which row of the plan, or file that gave way, has its place.
    """

    waits_for: int | None = None
    file_above: bool = False
    in_project: bool = False
    is_odd: bool = False
    occupants: list[tuple[int, int]] = field(default_factory=list)
    claimed: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        """Return whether nothing does."""
        return not (self.file_above or self.is_odd or self.occupants or self.claimed)


def _stems(intake: Intake) -> frozenset[str] | None:
    """Return the stems for which ties are possible; None where the template makes new names."""
    if not intake.placer.keeps_names:
        return None
    return stems_of_interest((*intake.files.keys, *intake.existing.keys))


class Lookout:
    """Knows who is where below the destination while a plan is made.

    Attributes:
        names: files, folders and claims.
        leaves: whether what goes frees its old place (a move does, a copy does not).
        done: by row, 1 for leaders that have their place.
        active: leaders that are being given one.
    """

    def __init__(self, intake: Intake, decisions: Decisions) -> None:
        self._in = intake
        self._decisions = decisions
        self.names = Names(intake.target, _stems(intake))
        occupies = intake.options.mode != VIRTUAL
        self.leaves = occupies and intake.options.operation == OperationType.MOVE
        self.active: set[int] = set()
        self.done = bytearray(len(intake.files))
        self._leader_of = {
            row: unit.leader for unit in intake.files.units.units for row in unit.members
        }
        self._projects: dict[str, int] = {}
        if occupies:
            self._occupy()

    def is_alone(self, row: int) -> bool:
        """Return whether a row is a unit of one."""
        return row not in self._leader_of

    def _occupy(self) -> None:
        """Note what is at the destination now; what goes to the trash is gone before all else."""
        names, fates = self.names, self._decisions.fates
        for row, key in enumerate(self._in.files.keys):
            address = self._in.placer.namespace.address(key)
            if address is not None and fates[self.leader(row)] is not Fate.TRASH:
                names.add(address, row)
        for position, key in enumerate(self._in.existing.keys):
            names.add(key, -1 - position)
        for name in self._in.blocked:
            names.add(name, BLOCKED)
        for unit in self._in.files.units.units:
            anchor = self._in.placer.namespace.address(unit.anchor)
            if unit.kind is UnitKind.PROJECT and unit.anchor and anchor:
                self._projects[names.key(anchor)] = unit.leader
        for anchor in self._in.existing.projects:
            self._projects[names.key(anchor)] = BLOCKED

    def leader(self, row: int) -> int:
        """Return the leader of a row's unit."""
        return self._leader_of.get(row, row)

    def anchor(self, work: Work, number: int) -> str:
        """Return the path up to the remainders, in the letters that its folders have."""
        place = work.place
        if work.placed is not None:
            place, number = self._in.placer.at(work.placed, number), 1
        spelled = Place(self.names.spelled(place.folder), place.name, "")
        return spelled.anchor(number, reserve=work.reserve)

    def addresses(self, work: Work, number: int) -> tuple[str, ...]:
        """Return where every member would go."""
        anchor = self.anchor(work, number)
        return tuple(anchor + remainder for remainder in work.remainders)

    def _is_odd(self, work: Work, addresses: tuple[str, ...]) -> bool:
        """Return whether a folder has a name, or a stranger would look like a companion."""
        if any(self.names.is_folder(address) for address in addresses):
            return True
        if work.is_project:
            return self.names.is_folder(addresses[0][: -len(work.remainders[0])])
        keys, namespace = self._in.files.keys, self._in.placer.namespace
        own = {self.names.extension(address) for address in addresses}
        return any(
            self.names.would_tie(address, namespace.address(keys[row]), own)
            for row, address in zip(work.members, addresses, strict=False)
        )

    def look(self, work: Work, addresses: tuple[str, ...]) -> Look:
        """Return what stands in the way of some addresses."""
        look = Look()
        names = self.names
        above = names.file_above(addresses[0].rpartition("/")[0])
        if above is not None:
            look.waits_for = self._waiting(names.files.get(above), work)
            look.file_above = True
        project = self._project_above(addresses[0].rpartition("/")[0])
        if project is not None:
            waits_for = self._waiting(project, work)
            look.waits_for = look.waits_for if waits_for is None else waits_for
            look.in_project = True
        look.is_odd = self._is_odd(work, addresses)
        for row, address in zip(work.members, addresses, strict=True):
            key = names.key(address)
            if key in names.claims:
                look.claimed.append((row, names.claims[key]))
            elif key in names.files:
                self._look_at_occupant(look, work, row, names.files[key])
        return look

    def _project_above(self, folder: str) -> int | None:
        """Return the leader of the project that a folder lies in, None outside projects."""
        if not self._projects or not folder:
            return None
        key = self.names.key(folder)
        above = (self._projects.get(path) for path in (*folders_of(key), key))
        return next((leader for leader in above if leader is not None), None)

    def _look_at_occupant(self, look: Look, work: Work, row: int, occupant: int) -> None:
        if self.leaves and occupant >= 0 and self.leader(occupant) == work.leader:
            return  # its own old place: a change of letters only
        waits_for = self._waiting(occupant, work)
        if waits_for is not None:
            look.waits_for = waits_for
        look.occupants.append((row, occupant))

    def _waiting(self, occupant: int | None, work: Work) -> int | None:
        """Return the unit of an occupant that may still go away, None when it stays."""
        if occupant is None or occupant < 0 or not self.leaves:
            return None
        leader = self.leader(occupant)
        is_open = leader in self._decisions.work and not (
            self.done[leader] or leader in self.active
        )
        return leader if is_open and leader != work.leader else None

    def clashes_with_itself(self, addresses: tuple[str, ...]) -> bool:
        """Return whether the destination would take two names of one unit for one."""
        if len(addresses) == 1:
            return False
        keys = {self.names.key(address) for address in addresses}
        folders = {folder for key in keys for folder in folders_of(key)}
        return len(keys) < len(addresses) or not keys.isdisjoint(folders)

    def take(self, work: Work, addresses: tuple[str, ...]) -> None:
        """Note that a unit leaves its old place, where it does, for its new one."""
        if work.is_project:
            self._move_project(work, addresses[0][: -len(work.remainders[0])])
        for row, address in zip(work.members, addresses, strict=True):
            own = self._in.placer.namespace.address(self._in.files.keys[row])
            if self.leaves and own is not None:
                self.names.leave(own, row)
            self.names.claim(address, row)

    def _move_project(self, work: Work, anchor: str) -> None:
        unit = self._in.files.units.unit_of[work.leader]
        own = self._in.placer.namespace.address(unit.anchor) if unit.anchor else None
        if self.leaves and own is not None:
            self._projects.pop(self.names.key(own), None)
        self._projects[self.names.key(anchor)] = work.leader
