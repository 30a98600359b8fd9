"""Which files at the destination are copies of which units: each is the copy of one unit only."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from models.domain.paths import split_name
from models.domain.placing import COUNTERS, split_number
from tasks.plan.intake import Intake
from tasks.plan.work import Work

_PREFIX = 40
"""Characters of a name that a number never cuts off: at 4 bytes each, far below 255 bytes."""

Match = tuple[str, tuple[int, ...]]
"""Where a copy of the leader lies, and the files there that are the copies of all members."""


class Copies:
    """What lies at the destination, by content and place.

    Two equal sources that are both to be kept need two copies, so this is an assignment: a unit
    gives way to another where it has a second copy of its own (augmenting paths: Kuhn 1955, The
    Hungarian method for the assignment problem).
    """

    def __init__(self, intake: Intake) -> None:
        self._in = intake
        self._key = intake.target.key()
        self._at: dict[str, int] = {}
        self._numbered: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._counted: defaultdict[str, list[str]] = defaultdict(list)
        self._holder: dict[int, Work] = {}
        self._fixed: set[int] = set()
        self._found: dict[int, Match] = {}

    def add(self, address: str, sha256: str, occupant: int) -> None:
        """Note a file: a row of the source (0 and up) or another (-1 and down)."""
        self._at[self._key(address)] = occupant
        if self._in.placer.is_counted:
            self._counted[sha256].append(address)
            return
        folder, stem, ext = split_name(address)
        base, number = split_number(stem)
        if number > 1:
            self._numbered[sha256, self._series_key(folder, base, ext)].append(address)

    def _series_key(self, folder: str, base: str, ext: str) -> str:
        return self._key(f"{folder}/{base[:_PREFIX]}/{ext}")

    def matched(self, works: Iterable[Work]) -> dict[int, Match]:
        """Return the units that have their copies, by leader.

        Large units look first: their members are copies of nothing else.
        """
        if not self._at:
            return {}
        for work in sorted(works, key=lambda work: (-len(work.members), work.leader)):
            if len(work.members) > 1:
                self._match_unit(work)
            else:
                self._match_file(work)
        return self._found

    def _match_unit(self, work: Work) -> None:
        for anchor in self._anchors(work):
            occupants = [
                self._copy_at(row, anchor + remainder)
                for row, remainder in zip(work.members, work.remainders, strict=True)
            ]
            copies = tuple(occupant for occupant in occupants if occupant is not None)
            if len(copies) == len(occupants) and self._fixed.isdisjoint(copies):
                self._fixed.update(copies)
                self._found[work.leader] = (anchor + work.remainders[0], copies)
                return

    def _match_file(self, work: Work) -> None:
        """Find a copy for one file, moving others to their second choice."""
        came_from: dict[int, tuple[Work, str]] = {}
        queue = [work]
        for current in queue:
            for anchor in self._anchors(current):
                address = anchor + current.remainders[0]
                occupant = self._copy_at(current.leader, address)
                if occupant is None or occupant in self._fixed or occupant in came_from:
                    continue
                came_from[occupant] = (current, address)
                holder = self._holder.get(occupant)
                if holder is None:
                    self._reassign(occupant, came_from, work)
                    return
                queue.append(holder)

    def _reassign(self, occupant: int, came_from: dict[int, tuple[Work, str]], first: Work) -> None:
        """Give the free copy to who found it, its old one to who asked for that, and so on."""
        while True:
            work, address = came_from[occupant]
            held = self._found.get(work.leader)
            self._holder[occupant] = work
            self._found[work.leader] = (address, (occupant,))
            if work is first or held is None:
                return
            occupant = held[1][0]

    def _anchors(self, work: Work) -> Iterator[str]:
        """Yield paths, up to the tail, where copies of a unit may lie."""
        if work.placed is not None:
            yield from self._counted_anchors(work)
            return
        place, tail = work.place, work.remainders[0]
        yield place.anchor(1, reserve=work.reserve)
        if work.is_project:
            number = 2
            while (
                self._key(anchor := place.anchor(number, reserve=work.reserve) + tail) in self._at
            ):
                yield anchor[: len(anchor) - len(tail)]
                number += 1
            return
        key = self._series_key(place.folder, split_number(place.name)[0], tail)
        keys = {key, self._series_key(place.folder, place.name, tail)}
        sha256 = self._in.files.sha256(work.leader) or ""
        for series in sorted(keys):
            for address in self._numbered.get((sha256, series), ()):
                anchor = address[: len(address) - len(tail)] if tail else address
                wanted = place.anchor(split_number(anchor)[1], reserve=work.reserve)
                if self._key(wanted) == self._key(anchor):
                    yield anchor

    def _counted_anchors(self, work: Work) -> Iterator[str]:
        tail, placed = work.remainders[0], work.placed
        if placed is None:
            return
        for address in self._counted.get(self._in.files.sha256(work.leader) or "", ()):
            anchor = address[: len(address) - len(tail)] if tail else address
            for digits in dict.fromkeys(COUNTERS.findall(anchor)):
                wanted = self._in.placer.at(placed, int(digits)).anchor(1, reserve=work.reserve)
                if self._key(wanted) == self._key(anchor):
                    yield anchor

    def _copy_at(self, row: int, address: str) -> int | None:
        """Return who lies at an address when it is a copy of a row, else None."""
        occupant = self._at.get(self._key(address))
        if occupant is None or occupant == row:
            return None
        files, existing = self._in.files, self._in.existing
        content = (
            files.sha256(occupant) if occupant >= 0 else existing.value(-1 - occupant, "sha256")
        )
        return occupant if content == files.sha256(row) else None
