"""Where everything that goes ends up: collisions within the plan and with what is there."""

from collections import Counter
from dataclasses import dataclass, field

from models.domain.organizing import ConflictPolicy, OperationType
from models.domain.paths import split_name
from models.domain.placing import split_number
from models.domain.templates import Place
from models.domain.units import UnitKind
from tasks.plan.decide import IN_PLACE, SETTLED, VIRTUAL, Decisions, Fate, Work
from tasks.plan.intake import Intake
from tasks.plan.names import Names, folders_of

BLOCKED = -(1 << 60)
"""Occupant that is no file: a link or a socket."""

FILE_ABOVE = "a file stands where its folder would be"
IN_PROJECT = "its place lies in a project, which stays as it is"
TOO_LONG = "its path at the destination would be too long"

_BETTER = {ConflictPolicy.KEEP_NEWER: "newer", ConflictPolicy.KEEP_LARGER: "larger"}
_GIVES_WAY = frozenset({ConflictPolicy.RENAME_EXISTING, ConflictPolicy.REPLACE_TO_TRASH})


@dataclass(slots=True)
class Outcome:
    """Where a unit goes, in the order of application.

    Attributes:
        work: the unit.
        addresses: destination of each member.
        displaced: files that give way first: occupant and where to (None: to the trash).
        conflict: how a taken name was dealt with; None when it was free.
    """

    work: Work
    addresses: tuple[str, ...]
    displaced: tuple[tuple[int, str | None], ...] = ()
    conflict: str | None = None


@dataclass(slots=True)
class Resolution:
    """What became of the units that go.

    Attributes:
        outcomes: what goes, in an order in which every place is free when its turn comes.
        stays: leaders that stay after all, and why.
        refused: leaders that cannot be placed, and why.
        given_way: rows of the source that a DISPLACE row moves.
        collided: leaders of units whose first place was taken.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    stays: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    given_way: set[int] = field(default_factory=set)
    collided: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Look:
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
        return not (self.file_above or self.is_odd or self.occupants or self.claimed)


class Resolver:
    """Gives every unit its place.

    Units are taken in order of key; one that waits for another's place to become free comes after
    it; of two that wait for each other the later one is numbered.
    """

    def __init__(self, intake: Intake, decisions: Decisions) -> None:
        self._in = intake
        self._decisions = decisions
        self._policy = intake.options.conflict
        self._occupies = intake.options.mode != VIRTUAL
        self._leaves = self._occupies and intake.options.operation == OperationType.MOVE
        self._names = Names(intake.target)
        self._numbers: Counter[str] = Counter()
        self._wants: dict[int, str] = {}
        self._best: dict[str, int] = {}
        self._active: set[int] = set()
        self._done: set[int] = set()
        self.found = Resolution()
        self._leader_of = {
            row: unit.leader for unit in intake.files.units.units for row in unit.members
        }
        self._projects: dict[str, int] = {}
        if self._occupies:
            self._occupy()

    def _occupy(self) -> None:
        """Note what is at the destination now; what goes to the trash is gone before all else."""
        names, fates = self._names, self._decisions.fates
        for row, key in enumerate(self._in.files.keys):
            address = self._in.placer.namespace.address(key)
            if address is not None and fates[self._leader(row)] is not Fate.TRASH:
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

    def _leader(self, row: int) -> int:
        return self._leader_of.get(row, row)

    # Order

    def resolve(self) -> Resolution:
        """Return where everything goes."""
        self._rank_contenders()
        for leader in self._decisions.work:
            stack = [leader]
            while stack:
                current = stack[-1]
                if current in self._done:
                    stack.pop()
                    continue
                self._active.add(current)
                waits_for = self._settle(self._decisions.work[current])
                if waits_for is None:
                    self._done.add(current)
                    self._active.discard(current)
                    stack.pop()
                else:
                    stack.append(waits_for)
        return self.found

    def _rank_contenders(self) -> None:
        """Of several units that want one place, let the newest or largest try first."""
        if self._policy not in _BETTER:
            return
        for leader, work in self._decisions.work.items():
            if work.is_project or work.placed is not None:
                continue
            key = self._names.key(self._anchor(work, 1) + work.remainders[0])
            self._wants[leader] = key
            best = self._best.get(key)
            if best is None or self._measure(leader) > self._measure(best):
                self._best[key] = leader

    def _better_contender(self, leader: int) -> int | None:
        """Return the unit that must try for a place before this one."""
        best = self._best.get(self._wants.get(leader, ""), leader)
        return None if best == leader or best in self._done or best in self._active else best

    def _measure(self, row: int) -> int:
        if self._policy == ConflictPolicy.KEEP_LARGER:
            return int(self._in.files.sizes[row])
        return int(self._in.files.modified[row])

    def _measured(self, occupant: int) -> int:
        if occupant >= 0:
            return self._measure(occupant)
        is_size = self._policy == ConflictPolicy.KEEP_LARGER
        column = "size_bytes" if is_size else "modified_ns"
        return int(self._in.existing.value(-1 - occupant, column))

    # Places

    def _anchor(self, work: Work, number: int) -> str:
        place = work.place
        if work.placed is not None:
            place, number = self._in.placer.at(work.placed, number), 1
        spelled = Place(self._names.spelled(place.folder), place.name, "")
        return spelled.anchor(number, reserve=work.reserve)

    def _addresses(self, work: Work, number: int) -> tuple[str, ...]:
        anchor = self._anchor(work, number)
        return tuple(anchor + remainder for remainder in work.remainders)

    def _is_odd(self, work: Work, addresses: tuple[str, ...]) -> bool:
        """Return whether a folder has a name, or a stranger would look like a companion."""
        if any(self._names.is_folder(address) for address in addresses):
            return True
        if work.is_project:
            return self._names.is_folder(addresses[0][: -len(work.remainders[0])])
        keys, namespace = self._in.files.keys, self._in.placer.namespace
        own = {self._names.extension(address) for address in addresses}
        return any(
            self._names.would_tie(address, namespace.address(keys[row]), own)
            for row, address in zip(work.members, addresses, strict=False)
        )

    def _look(self, work: Work, addresses: tuple[str, ...]) -> _Look:
        look = _Look()
        names = self._names
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
        key = self._names.key(folder)
        above = (self._projects.get(path) for path in (*folders_of(key), key))
        return next((leader for leader in above if leader is not None), None)

    def _look_at_occupant(self, look: _Look, work: Work, row: int, occupant: int) -> None:
        if self._leaves and occupant >= 0 and self._leader(occupant) == work.leader:
            return  # its own old place: a change of letters only
        waits_for = self._waiting(occupant, work)
        if waits_for is not None:
            look.waits_for = waits_for
        look.occupants.append((row, occupant))

    def _waiting(self, occupant: int | None, work: Work) -> int | None:
        """Return the unit of an occupant that may still go away, None when it stays."""
        if occupant is None or occupant < 0 or not self._leaves:
            return None
        leader = self._leader(occupant)
        is_open = leader in self._decisions.work and not (
            leader in self._done or leader in self._active
        )
        return leader if is_open and leader != work.leader else None

    def _clashes_with_itself(self, addresses: tuple[str, ...]) -> bool:
        """Return whether the destination would take two names of one unit for one."""
        if len(addresses) == 1:
            return False
        keys = {self._names.key(address) for address in addresses}
        folders = {folder for key in keys for folder in folders_of(key)}
        return len(keys) < len(addresses) or not keys.isdisjoint(folders)

    # Settling

    def _settle(self, work: Work) -> int | None:
        """Give a unit its place, or let it stay; returns the unit that must be settled first."""
        better = self._better_contender(work.leader)
        if better is not None:
            return better
        addresses = self._addresses(work, 1)
        look = self._look(work, addresses)
        if look.waits_for is not None:
            return look.waits_for
        if look.file_above or look.in_project:
            self._refuse(work, FILE_ABOVE if look.file_above else IN_PROJECT)
        elif self._clashes_with_itself(addresses):
            self._refuse(work, "two of its names are one name at the destination")
        elif look.is_free:
            self._go(work, addresses)
        else:
            if work.placed is None:
                self.found.collided.add(work.leader)
            return self._collide(work, addresses, look)
        return None

    def _collide(self, work: Work, addresses: tuple[str, ...], look: _Look) -> int | None:
        """Apply the policy.

        Policies speak of files: a folder in the way, a project, a counter or a false companion
        always means the next number.
        """
        if look.is_odd or work.is_project or work.placed is not None or not self._occupies:
            return self._number(work)
        if self._policy == ConflictPolicy.SKIP:
            self._stay(work.leader, "its place is taken")
        elif self._policy in _BETTER:
            self._keep_better(work, addresses, look)
        elif self._policy in _GIVES_WAY and self._can_displace(look):
            self._displace(work, addresses, look)
        else:
            return self._number(work)
        return None

    def _number(self, work: Work) -> int | None:
        """Take the first free number; equal files are looked for on the way where asked for."""
        looks_for_equal = self._policy == ConflictPolicy.SKIP_IDENTICAL and not work.is_project
        first = 1 if work.placed is not None or looks_for_equal else 2
        series = self._names.key(self._anchor(work, first) + work.remainders[0])
        number = first if looks_for_equal else max(first, self._numbers.get(series, 0) + 1)
        while True:
            addresses = self._addresses(work, number)
            look = self._look(work, addresses)
            if look.waits_for is not None:
                return look.waits_for
            if looks_for_equal and self._is_equal(work, look):
                self._stay(work.leader, "an identical file has its place")
                return None
            if look.file_above or look.in_project:
                self._refuse(work, FILE_ABOVE if look.file_above else IN_PROJECT)
                return None
            if look.is_free:
                self._numbers[series] = number
                self._go(work, addresses, conflict=f"numbered {number}")
                return None
            number += 1

    def _is_equal(self, work: Work, look: _Look) -> bool:
        """Return whether every member's place is taken by a file of the same content."""
        taken = dict((*look.occupants, *look.claimed))
        return len(taken) == len(work.members) and all(
            self._content(occupant) == self._in.files.sha256(row) for row, occupant in taken.items()
        )

    def _content(self, occupant: int) -> str | None:
        if occupant == BLOCKED:
            return None
        if occupant < 0:
            return self._in.existing.value(-1 - occupant, "sha256")
        if self._leader(occupant) in self._active:
            return None  # it may still go away
        return self._in.files.sha256(occupant)

    def _keep_better(self, work: Work, addresses: tuple[str, ...], look: _Look) -> None:
        better = _BETTER[self._policy]
        if look.claimed:
            self._stay(work.leader, "another file of this plan has its place")
        elif not self._can_displace(look):
            self._stay(work.leader, "the file in its place has to stay")
        elif all(self._measure(work.leader) > self._measured(at) for _, at in look.occupants):
            self._displace(work, addresses, look)
        else:
            self._stay(work.leader, f"it is not {better} than the file in its place")

    # Giving way

    def _can_displace(self, look: _Look) -> bool:
        return not look.claimed and all(self._gives_way(at) for _, at in look.occupants)

    def _gives_way(self, occupant: int) -> bool:
        """Return whether a file may be displaced: alone, in its place, and no proof of anything.

        A keeper stays where its duplicates' removal is proven by it, and a file at the destination
        stays where a source was left alone because of it.
        """
        if occupant == BLOCKED:
            return False
        if occupant < 0:
            position = -1 - occupant
            is_free = position not in self._in.existing.bound
            return is_free and position not in self._decisions.evidence
        duplicates = self._in.duplicates
        return (
            self._leaves
            and occupant not in self._leader_of
            and self._decisions.reasons.get(occupant) in {IN_PLACE, SETTLED}
            and not self._in.files.is_protected(occupant)
            and occupant not in duplicates.keepers
            and occupant not in duplicates.keeper_of
        )

    def _displace(self, work: Work, addresses: tuple[str, ...], look: _Look) -> None:
        """Let the files there give way, to the trash or to a new name, and take their place."""
        if self._is_too_long(addresses):
            self._refuse(work, TOO_LONG)
            return
        displaced: list[tuple[int, str | None]] = []
        for row, occupant in look.occupants:
            address = addresses[work.members.index(row)]
            to = None
            if self._policy == ConflictPolicy.RENAME_EXISTING:
                to = self._free_name(address)
                self._names.claim(to, occupant)
            displaced.append((occupant, to))
            self._names.leave(address, occupant)
            if occupant >= 0:
                self.found.given_way.add(occupant)
        words = (
            "renamed" if self._policy == ConflictPolicy.RENAME_EXISTING else "moved to the trash"
        )
        self._go(work, addresses, tuple(displaced), f"the file there is {words}")

    def _free_name(self, address: str) -> str:
        folder, stem, ext = split_name(address)
        place = Place(folder, split_number(stem)[0], ext)
        number = 2
        while self._is_taken(place.path(number)):
            number += 1
        return place.path(number)

    def _is_taken(self, address: str) -> bool:
        key = self._names.key(address)
        names = self._names
        return key in names.files or key in names.claims or names.is_folder(address)

    # Results

    def _is_too_long(self, addresses: tuple[str, ...]) -> bool:
        limit = self._in.target.max_key_bytes
        return any(
            len(address) * 4 > limit and len(address.encode()) > limit for address in addresses
        )

    def _go(
        self,
        work: Work,
        addresses: tuple[str, ...],
        displaced: tuple[tuple[int, str | None], ...] = (),
        conflict: str | None = None,
    ) -> None:
        if self._is_too_long(addresses):
            self._refuse(work, TOO_LONG)
            return
        if work.is_project:
            self._move_project(work, addresses[0][: -len(work.remainders[0])])
        for row, address in zip(work.members, addresses, strict=True):
            own = self._in.placer.namespace.address(self._in.files.keys[row])
            if self._leaves and own is not None:
                self._names.leave(own, row)
            self._names.claim(address, row)
        self.found.outcomes.append(Outcome(work, addresses, displaced, conflict))

    def _move_project(self, work: Work, anchor: str) -> None:
        unit = self._in.files.units.unit_of[work.leader]
        own = self._in.placer.namespace.address(unit.anchor) if unit.anchor else None
        if self._leaves and own is not None:
            self._projects.pop(self._names.key(own), None)
        self._projects[self._names.key(anchor)] = work.leader

    def _stay(self, leader: int, reason: str) -> None:
        self.found.stays[leader] = reason

    def _refuse(self, work: Work, reason: str) -> None:
        self.found.refused[work.leader] = reason
