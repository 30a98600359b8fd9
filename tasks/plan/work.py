"""What becomes of a unit, and a unit that goes somewhere."""

from dataclasses import dataclass, field
from enum import Enum, auto

from models.domain.placer import Placed
from models.domain.templates import Place


class Fate(Enum):
    """What becomes of a unit."""

    GO = auto()
    STAY = auto()
    REFUSE = auto()
    TRASH = auto()


IN_PLACE = "already in place"
SETTLED = "already below the destination"
VIRTUAL = "virtual"
"""The mode that changes the catalog only."""


@dataclass(slots=True)
class Work:
    """A unit that goes somewhere.

    Attributes:
        leader: row whose facts decide.
        members: rows, the leader first.
        place: where the leader goes.
        remainders: what follows the anchor in each member's destination.
        reserve: bytes of the longest remainder's first part, kept free when a name is cut.
        placed: kept only where a counter makes the place again.
        why: which rule of the account decided, in words; None when the mode did.
    """

    leader: int
    members: tuple[int, ...]
    place: Place
    remainders: tuple[str, ...]
    reserve: int
    placed: Placed | None
    is_project: bool
    why: str | None = None


@dataclass(slots=True)
class Decisions:
    """The fate of every unit, by leader.

    Attributes:
        fates: by row; None for a row that goes with its leader.
        reasons: in words, by leader; of those that go, what is odd about their date.
        work: what goes, by leader.
        evidence: positions of files at the destination whose content let something stay.
    """

    fates: list[Fate | None]
    reasons: dict[int, str] = field(default_factory=dict)
    work: dict[int, Work] = field(default_factory=dict)
    evidence: set[int] = field(default_factory=set)
