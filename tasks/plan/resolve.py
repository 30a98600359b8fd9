"""Where everything that goes ends up: collisions within the plan and with what is there."""

from collections import Counter
from dataclasses import dataclass, field

from models.domain.organizing import ConflictPolicy
from models.domain.paths import split_name
from models.domain.placing import split_number
from models.domain.templates import Place
from tasks.plan.intake import Intake
from tasks.plan.lookout import BLOCKED, Look, Lookout
from tasks.plan.work import IN_PLACE, SETTLED, VIRTUAL, Decisions, Work

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


class Resolver:
    """Gives every unit its place.

    Units are taken in order of key; one that waits for another's place to become free comes after
    it; of two that wait for each other the later one is numbered.
    """

    def __init__(self, intake: Intake, decisions: Decisions) -> None:
        self._in = intake
        self._decisions = decisions
        self._policy = intake.options.conflict
        self._lookout = Lookout(intake, decisions)
        self._names = self._lookout.names
        self._numbers: Counter[str] = Counter()
        self._wants: dict[int, str] = {}
        self._best: dict[str, int] = {}
        self.found = Resolution()

    # Order

    def resolve(self) -> Resolution:
        """Return where everything goes."""
        self._rank_contenders()
        for leader in self._decisions.work:
            stack = [leader]
            while stack:
                current = stack[-1]
                if self._lookout.done[current]:
                    stack.pop()
                    continue
                self._lookout.active.add(current)
                waits_for = self._settle(self._decisions.work[current])
                if waits_for is None:
                    self._lookout.done[current] = 1
                    self._lookout.active.discard(current)
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
            key = self._names.key(self._lookout.anchor(work, 1) + work.remainders[0])
            self._wants[leader] = key
            best = self._best.get(key)
            if best is None or self._measure(leader) > self._measure(best):
                self._best[key] = leader

    def _better_contender(self, leader: int) -> int | None:
        """Return the unit that must try for a place before this one."""
        best = self._best.get(self._wants.get(leader, ""), leader)
        return (
            None
            if best == leader or self._lookout.done[best] or best in self._lookout.active
            else best
        )

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

    # Settling

    def _settle(self, work: Work) -> int | None:
        """Give a unit its place, or let it stay; returns the unit that must be settled first."""
        better = self._better_contender(work.leader)
        if better is not None:
            return better
        addresses = self._lookout.addresses(work, 1)
        look = self._lookout.look(work, addresses)
        if look.waits_for is not None:
            return look.waits_for
        if look.file_above or look.in_project:
            self._refuse(work, FILE_ABOVE if look.file_above else IN_PROJECT)
        elif self._lookout.clashes_with_itself(addresses):
            self._refuse(work, "two of its names are one name at the destination")
        elif look.is_free:
            self._go(work, addresses)
        else:
            if work.placed is None:
                self.found.collided.add(work.leader)
            return self._collide(work, addresses, look)
        return None

    def _collide(self, work: Work, addresses: tuple[str, ...], look: Look) -> int | None:
        """Apply the policy.

        Policies speak of files: a folder in the way, a project, a counter or a false companion
        always means the next number.
        """
        if (
            look.is_odd
            or work.is_project
            or work.placed is not None
            or self._in.options.mode == VIRTUAL
        ):
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
        series = self._names.key(self._lookout.anchor(work, first) + work.remainders[0])
        number = first if looks_for_equal else max(first, self._numbers.get(series, 0) + 1)
        while True:
            addresses = self._lookout.addresses(work, number)
            look = self._lookout.look(work, addresses)
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

    def _is_equal(self, work: Work, look: Look) -> bool:
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
        if self._lookout.leader(occupant) in self._lookout.active:
            return None  # it may still go away
        return self._in.files.sha256(occupant)

    def _keep_better(self, work: Work, addresses: tuple[str, ...], look: Look) -> None:
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

    def _can_displace(self, look: Look) -> bool:
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
            self._lookout.leaves
            and self._lookout.is_alone(occupant)
            and self._decisions.reasons.get(occupant) in {IN_PLACE, SETTLED}
            and not self._in.files.is_protected(occupant)
            and occupant not in duplicates.keepers
            and occupant not in duplicates.keeper_of
        )

    def _displace(self, work: Work, addresses: tuple[str, ...], look: Look) -> None:
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
        self._lookout.take(work, addresses)
        self.found.outcomes.append(Outcome(work, addresses, displaced, conflict))

    def _stay(self, leader: int, reason: str) -> None:
        self.found.stays[leader] = reason

    def _refuse(self, work: Work, reason: str) -> None:
        self.found.refused[work.leader] = reason
