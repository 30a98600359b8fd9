"""A union merge: what one folder has and another lacks moves over, what both have goes. Pure."""

from collections.abc import Sequence

import pyarrow as pa

from models.domain.jobs import OrganizeOptions
from models.domain.paths import split_name
from models.domain.plans import Action, Move
from models.domain.targets import Target
from models.domain.templates import Place
from models.domain.units import UnitKind
from tasks.plan.lookout import BLOCKED
from tasks.plan.merge_rows import Step, merge_rows
from tasks.plan.merge_sides import Sides
from tasks.plan.names import Names, folders_of
from tasks.plan.resolve import FILE_ABOVE, IN_PROJECT, TOO_LONG
from warehouse.schemas.arrow import to_table

_MOST_KEEPERS = 64
"""Equal files looked at for one that has all of a unit: past it they are boilerplate."""


class _Merger:
    def __init__(self, sides: Sides, target: Target, blocked: Sequence[str]) -> None:
        self._sides = sides
        self._target = target
        self._names = Names(target)
        for row, file in sides.files.items():
            self._names.add(file.key, row)
        for key in blocked:
            self._names.add(key, BLOCKED)
        self._projects = {self._names.key(anchor) for anchor in sides.projects if anchor}

    def decide(self, leader: int) -> list[Step]:
        """Return what becomes of a unit: all of it goes, or all of it stays."""
        members = self._sides.members(leader)
        stays = self._stays(members)
        if stays is not None:
            return stays
        unit = self._sides.units.unit_of.get(leader)
        is_project = unit is not None and unit.kind is UnitKind.PROJECT
        found = self._found_whole(members, is_project=is_project)
        if isinstance(found, str):
            return [Step(row, Action.SKIP, found) for row in members]
        if found is not None:
            return [self._gone(row, keeper) for row, keeper in zip(members, found, strict=True)]
        if is_project:
            return self._move_project(members)
        return self._move(members)

    def _stays(self, members: tuple[int, ...]) -> list[Step] | None:
        """Return why a unit may not be touched, or None."""
        sides = self._sides
        outside = [row for row in members if row not in sides.files or row in sides.takes]
        if outside:
            rows = [row for row in members if row not in outside]
            reason = "goes with files outside the folder"
            return [Step(row, Action.REFUSE, reason) for row in rows]
        unreadable = [row for row in members if sides.files[row].sha256 is None]
        if unreadable:
            problem = sides.files[unreadable[0]].problem or "its content could not be read"
            reason = problem if len(members) == 1 else "goes with a file that could not be read"
            return [Step(row, Action.REFUSE, reason) for row in members]
        if any(sides.is_protected(row) for row in members):
            return [Step(row, Action.SKIP, "in a protected folder") for row in members]
        return None

    # What both sides have

    def _found_whole(self, members: tuple[int, ...], *, is_project: bool) -> list[int] | str | None:
        """Return who keeps the content of each member when the other side has all of them.

        Returns:
            Keepers, in order; the reason to stay when the only copies are other names of the same
            bytes; None when something is only here.
        """
        sides = self._sides
        here = [self._at(sides.address(sides.files[row].key)) for row in members]
        if all(sides.is_proof(row, keeper) for row, keeper in zip(members, here, strict=True)):
            return [keeper for keeper in here if keeper is not None]
        if is_project:
            return self._found_project(members)
        equals = sides.equals(members[0])
        for keeper in equals[:_MOST_KEEPERS]:
            keepers = self._keepers_beside(members, keeper)
            if keepers is not None:
                return keepers
        linked = [*equals, here[0]] if here[0] is not None else equals
        if any(sides.files[members[0]].is_same_body(sides.files[row]) for row in linked):
            return "another name of bytes that the other folder has"
        return None

    def _keepers_beside(self, members: tuple[int, ...], keeper: int) -> list[int] | None:
        """Return the keepers of a whole unit among the files that go with one of them."""
        sides = self._sides
        beside = sides.members(keeper)
        keepers: list[int] = []
        for row in members:
            file = sides.files[row]
            fitting = [
                each
                for each in ((keeper,) if len(members) == 1 else beside)
                if sides.is_proof(row, each) and file.size_bytes
            ]
            if not fitting:
                return None
            keepers.append(fitting[0])
        return keepers

    def _found_project(self, members: tuple[int, ...]) -> list[int] | None:
        """Return the keepers of a project of which there is an equal one, under any name."""
        sides = self._sides
        own = sides.units.unit_of[members[0]].anchor
        largest = max(members, key=lambda row: (sides.files[row].size_bytes, row))
        for keeper in sides.equals(largest)[:_MOST_KEEPERS]:
            unit = sides.units.unit_of.get(keeper)
            if unit is None or unit.kind is not UnitKind.PROJECT:
                continue
            there = [self._at(unit.anchor + sides.files[row].key[len(own) :]) for row in members]
            if all(sides.is_proof(row, each) for row, each in zip(members, there, strict=True)):
                return [each for each in there if each is not None]
        return None

    def _at(self, address: str) -> int | None:
        """Return the row of the taking side that lies at an address."""
        row = self._names.files.get(self._names.key(address))
        return row if row in self._sides.takes else None

    def _gone(self, row: int, keeper: int) -> Step:
        kept = self._sides.files[keeper].key
        return Step(row, Action.TRASH, f"the other folder has it: {kept}", keeper=keeper)

    # What only one side has

    def _move(self, members: tuple[int, ...]) -> list[Step]:
        """Move a file, or companions together, to its relative place, numbered when taken."""
        number = 1
        while True:
            addresses = self._addresses(members, number)
            refused = self._refused(addresses)
            if refused is not None:
                return [Step(row, Action.REFUSE, refused) for row in members]
            steps = self._placed(members, addresses, number)
            if steps is not None:
                return steps
            number += 1

    def _addresses(self, members: tuple[int, ...], number: int) -> tuple[str, ...]:
        sides = self._sides
        unit = sides.units.unit_of.get(members[0])
        if unit is None:
            folder, stem, tail = split_name(sides.address(sides.files[members[0]].key))
            return (Place(self._names.spelled(folder), stem, tail).path(number),)
        remainders = [unit.remainder(sides.files[row].key) for row in members]
        folder, _, name = sides.address(unit.anchor).rpartition("/")
        reserve = max(len(rest.encode()) for rest in remainders)
        anchor = Place(self._names.spelled(folder), name, "").anchor(number, reserve=reserve)
        return tuple(anchor + rest for rest in remainders)

    def _refused(self, addresses: Sequence[str]) -> str | None:
        """Return why no file may go to a folder, whatever its name; None when it may."""
        folder = addresses[0].rpartition("/")[0]
        if self._names.file_above(folder) is not None:
            return FILE_ABOVE
        key = self._names.key(folder)
        if folder and any(above in self._projects for above in (*folders_of(key), key)):
            return IN_PROJECT
        limit = self._target.max_key_bytes
        return TOO_LONG if any(len(address.encode()) > limit for address in addresses) else None

    def _placed(
        self, members: tuple[int, ...], addresses: tuple[str, ...], number: int
    ) -> list[Step] | None:
        """Return the steps of a unit at some addresses; None when one of them is taken.

        In its own place a member may meet its equal, which stays while the others join it.
        """
        names, sides = self._names, self._sides
        keys = [names.key(address) for address in addresses]
        own = {names.extension(address) for address in addresses}
        if len(set(keys)) < len(keys):
            return [Step(row, Action.REFUSE, "two of its names are one there") for row in members]
        conflict = None if number == 1 else f"numbered {number}"
        reason = "only in this folder" if number == 1 else "its place is taken by another content"
        steps: list[Step] = []
        for row, address, key in zip(members, addresses, keys, strict=True):
            there = self._at(address)
            if number == 1 and sides.is_proof(row, there) and there is not None:
                steps.append(self._gone(row, there))
                continue
            is_taken = key in names.files or key in names.claims or names.is_folder(address)
            if is_taken or names.would_tie(address, None, own):
                return None
            steps.append(Step(row, Action.MOVE, reason, to=address, conflict=conflict))
        for step in steps:
            if step.to is not None:
                names.claim(step.to, step.row)
        return steps

    def _move_project(self, members: tuple[int, ...]) -> list[Step]:
        sides, names = self._sides, self._names
        anchor = sides.units.unit_of[members[0]].anchor
        if anchor == sides.giving:
            reason = "a project as a whole, which is not equal to the one it would be united with"
            return [Step(row, Action.REFUSE, reason) for row in members]
        folder, _, name = sides.address(anchor).rpartition("/")
        place = Place(names.spelled(folder), name, "")
        number = 1
        while names.is_folder(place.anchor(number)) or self._is_file(place.anchor(number)):
            number += 1
        root = place.anchor(number)
        addresses = [root + sides.files[row].key[len(anchor) :] for row in members]
        refused = self._refused([root]) or self._refused(
            [max(addresses, key=lambda address: len(address.encode()))]
        )
        if refused is not None:
            return [Step(row, Action.REFUSE, refused) for row in members]
        conflict = None if number == 1 else f"numbered {number}"
        for row, address in zip(members, addresses, strict=True):
            names.claim(address, row)
        return [
            Step(row, Action.MOVE, "goes with its project", to=address, conflict=conflict)
            for row, address in zip(members, addresses, strict=True)
        ]

    def _is_file(self, address: str) -> bool:
        key = self._names.key(address)
        return key in self._names.files or key in self._names.claims


_ORDER = (Action.TRASH, Action.MOVE, Action.SKIP, Action.REFUSE)


def merge_moves(
    fingerprints: pa.Table,
    *,
    options: OrganizeOptions,
    target: Target | None = None,
    blocked: Sequence[str] = (),
) -> pa.Table:
    """Return what unites two folders of one root, in the order of application.

    No file of the folder that is filled is touched. A file of the other goes to the trash when
    that one has its content by full hash, and moves to its relative place otherwise; a name that
    is taken by another content is numbered. Companions and projects go as one. So the contents of
    both folders and the trash are the same before and after, as a multiset.

    Args:
        fingerprints: (n,) rows of `Fingerprint` of the whole root, any order.
        options: `merge_from`, `merge_into` and `protected`.
        target: how the root compares names and what it can hold.
        blocked: names that are no files (links, sockets).

    Returns:
        (m,) rows of `Move`, one for each file of the folder that is emptied.

    Raises:
        InvalidError: the folders make no sense, or lie in a project.
        MissingError: one of them has no files.
    """
    target = target or Target()
    sides = Sides(fingerprints, options, target)
    merger = _Merger(sides, target, blocked)
    units = [steps for leader in sides.leaders() if (steps := merger.decide(leader))]
    units.sort(key=lambda steps: _ORDER.index(steps[0].action))
    return to_table(merge_rows(units, sides), Move)
