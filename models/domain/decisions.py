"""What people decided of contents: no duplicates, or this one stays. Keyed by content alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.domain.errors import InvalidError

SHOWN_DIGITS = 12
"""Digits of a hash in a decision's name: 48 bits, unique among millions of decisions."""


class DecisionKind(StrEnum):
    """What was decided."""

    NOT_DUPLICATE = "not_duplicate"
    """Two contents are different, whatever they look like."""
    KEEP = "keep"
    """A content stays: it is the keeper of its group, and no removal takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of one account.

    Attributes:
        sha256: the content; of a pair the smaller hash.
        other_sha256: the larger hash of a pair; `sha256` again where one content stays.
        kept_key: for `keep`, the file that was named. Among files of equal bytes the one that is
            still there, or else one of the same name, is the keeper.
        decided_at: when it was stored, UTC; None before.
    """

    kind: DecisionKind
    sha256: str
    other_sha256: str
    kept_key: str = ""
    note: str = ""
    decided_at: datetime | None = None

    @property
    def name(self) -> str:
        """How people call it: the beginnings of its hashes."""
        first = self.sha256[:SHOWN_DIGITS]
        if self.kind is DecisionKind.KEEP:
            return first
        return f"{first}-{self.other_sha256[:SHOWN_DIGITS]}"


def not_duplicate(one: str, other: str, *, note: str = "") -> Decision:
    """Return the decision that two contents are no duplicates of one another.

    Raises:
        InvalidError: they are one content: equal bytes are equal, whatever anybody decides.
    """
    if one == other:
        raise InvalidError("both files hold the same bytes: nothing can tell them apart")
    first, second = sorted((one, other))
    return Decision(kind=DecisionKind.NOT_DUPLICATE, sha256=first, other_sha256=second, note=note)


def keep(sha256: str, key: str, *, note: str = "") -> Decision:
    """Return the decision that a content stays, and which of its files, if several hold it."""
    return Decision(
        kind=DecisionKind.KEEP, sha256=sha256, other_sha256=sha256, kept_key=key, note=note
    )


@dataclass(frozen=True, slots=True)
class Decisions:
    """All decisions that hold, by content, so that they survive renames, moves and other storages.

    Attributes:
        apart: pairs of SHA-256, the smaller first, that are no duplicates of one another.
        keepers: SHA-256 of contents that stay keepers of their groups.
        kept_keys: for some of the keepers, the file that was named.
    """

    apart: frozenset[tuple[str, str]] = frozenset()
    keepers: frozenset[str] = frozenset()
    kept_keys: dict[str, str] = field(default_factory=dict[str, str])

    def is_apart(self, one: str, other: str) -> bool:
        """Return whether two contents are never members of one group.

        Two that both stay are apart, too: one would be the other's member.
        """
        if one in self.keepers and other in self.keepers:
            return True
        return (min(one, other), max(one, other)) in self.apart

    def is_chosen(self, sha256: str, key: str, others: Iterable[str]) -> bool:
        """Return whether a file is the one that a person chose among files of equal bytes.

        Args:
            sha256: their content.
            key: the file.
            others: keys of all of them; where the file that was named is among them, only it.
        """
        named = self.kept_keys.get(sha256)
        if not named:
            return False
        return key == named or (named not in others and _name(key) == _name(named))


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def holding(decisions: Iterable[Decision]) -> Decisions:
    """Return what some decisions come to."""
    found = list(decisions)
    kept = [each for each in found if each.kind is DecisionKind.KEEP]
    return Decisions(
        apart=frozenset(
            (each.sha256, each.other_sha256)
            for each in found
            if each.kind is DecisionKind.NOT_DUPLICATE
        ),
        keepers=frozenset(each.sha256 for each in kept),
        kept_keys={each.sha256: each.kept_key for each in kept if each.kept_key},
    )
