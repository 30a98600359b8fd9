"""Groups around a keeper: every member matches the keeper itself, never by way of another."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Proof:
    """That two contents are nearly the same.

    Attributes:
        other: position of the content compared with.
        similarity_ratio: 0 to 1.
        distance_bits: bits by which their closest hashes differ; -1 where none were compared.
        evidence: what the second check saw, in words.
    """

    other: int
    similarity_ratio: float
    distance_bits: int
    evidence: str


class Search(Protocol):
    """Finds and proves what is nearly the same as one content."""

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterable[Proof]:
        """Return the proofs of contents that are still open, in any order; each content once."""
        ...


@dataclass(frozen=True, slots=True)
class Star:
    """A keeper and the proofs of its members, ascending by position."""

    keeper: int
    members: tuple[Proof, ...]


def find_stars(
    order: Sequence[int],
    search: Search,
    *,
    is_apart: Callable[[int, int], bool] = lambda _one, _two: False,
) -> list[Star]:
    """Return the groups: the best content keeps, and takes what directly matches it.

    The best content that is in no group yet becomes a keeper and takes every open content that is
    proved to match it; then the next best. So groups are disjoint, no member hangs on a chain, and
    the answer depends on the order of keeping alone, not on the order of anything else.

    Args:
        order: positions of all contents, the best to keep first.
        search: proves matches; asked once a keeper, never about a taken content.
        is_apart: two contents that are never grouped: companions, or a person's decision.

    Returns:
        Stars of two or more, in the order of their keepers.
    """
    is_open = np.zeros(max(order, default=-1) + 1, np.bool_)
    is_open[list(order)] = True
    found: list[Star] = []
    for keeper in order:
        if not is_open[keeper]:
            continue
        is_open[keeper] = False
        proofs = sorted(
            (
                proof
                for proof in search.matches(keeper, is_open)
                if is_open[proof.other] and not is_apart(keeper, proof.other)
            ),
            key=lambda proof: proof.other,
        )
        if proofs:
            is_open[[proof.other for proof in proofs]] = False
            found.append(Star(keeper, tuple(proofs)))
    return found
