"""Which member of a group of equal files stays, and why, in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.domain.duplicates import KeepRule
from models.domain.fingerprint import DateSource

LOSSLESS = frozenset(
    {
        *("image/png", "image/tiff", "image/bmp", "image/x-adobe-dng", "image/webp"),
        *("audio/flac", "audio/x-flac", "audio/wav", "audio/x-wav", "audio/aiff", "audio/x-aiff"),
    }
)
"""Media types that keep every sample; webp may not, and is equal among equal bytes anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One member of a group, as the rules see it.

    Attributes:
        key: path below the root.
        is_protected: in a folder from which nothing may go.
        is_in_place: already where the template wants it.
        is_bound: part of a project, or of companions that are not all duplicates.
        is_chosen: a person decided that this one stays.
        preferred: position of the preferred folder it is in; the number of folders when in none.
        pixels: width times height; 0 when unknown.
        is_lossless: whether its format keeps every sample.
        facts: how many facts (date, camera, position, title, ...) it carries.
        dated: capture time where known, else empty.
        modified_ns: modification time, nanoseconds since 1970 UTC.
    """

    key: str
    is_protected: bool = False
    is_in_place: bool = False
    is_bound: bool = False
    is_chosen: bool = False
    preferred: int = 0
    pixels: int = 0
    is_lossless: bool = False
    facts: int = 0
    dated: str = ""
    modified_ns: int = 0


_Standing = Callable[[Candidate], Any]

_RULES: dict[KeepRule, tuple[_Standing, str]] = {
    KeepRule.PROTECTED: (lambda c: not c.is_protected, "in a protected folder"),
    KeepRule.PREFERRED: (lambda c: c.preferred, "in a preferred folder"),
    KeepRule.HIGHEST_QUALITY: (
        lambda c: (-c.pixels, not c.is_lossless, -c.facts),
        "highest quality",
    ),
    KeepRule.OLDEST: (lambda c: (c.dated or "~", c.modified_ns), "oldest"),
    KeepRule.NEWEST: (lambda c: (_later(c.dated), -c.modified_ns), "newest"),
    KeepRule.SHORTEST_PATH: (lambda c: len(c.key), "shortest path"),
}
_IN_PLACE: tuple[_Standing, str] = (lambda c: not c.is_in_place, "already in its place")
_CHOSEN: tuple[_Standing, str] = (lambda c: not c.is_chosen, "chosen by a person")
_LOOSE: tuple[_Standing, str] = (lambda c: c.is_bound, "not part of a project or of companions")
_TIE: tuple[_Standing, str] = (lambda c: c.key, "first by path; the members are equal otherwise")


def _later(dated: str) -> tuple[int, ...]:
    """Return a key that sorts later times first, and none last."""
    return tuple(-ord(character) for character in dated) if dated else (1,)


def steps_of(rules: Sequence[KeepRule]) -> tuple[tuple[_Standing, str], ...]:
    """Return every comparison in order.

    What a person chose comes first. Then the rules asked for, and before them two of our own that
    make a second run change nothing: a file on its own wins over one that goes with others, then
    one already in its place over one that is not. Only protection, where it is the first rule,
    comes before these. Paths end ties.
    """
    named = [_RULES[rule] for rule in rules]
    head = 1 if rules and rules[0] == KeepRule.PROTECTED else 0
    return (_CHOSEN, *named[:head], _LOOSE, _IN_PLACE, *named[head:], _TIE)


def elect(members: Sequence[Candidate], steps: Sequence[tuple[_Standing, str]]) -> tuple[int, str]:
    """Return the position of the keeper and the rule that chose it, in words.

    Args:
        members: at least one, any order; keys are unique.
        steps: from `steps_of`.
    """
    left = range(len(members))
    chosen: Sequence[int] = left
    for standing, words in steps:
        standings = [standing(members[n]) for n in chosen]
        best = min(standings)
        narrowed = [n for n, value in zip(chosen, standings, strict=True) if value == best]
        if len(narrowed) == 1:
            return narrowed[0], words
        chosen = narrowed
    return min(chosen, key=lambda n: members[n].key), _TIE[1]


def dated(captured_at: str | None, captured_source: str | None) -> str:
    """Return the capture time where the content or name says it; empty for a modification time."""
    return captured_at if captured_at and captured_source != DateSource.MODIFIED else ""


def folder_position(key: str, folders: Sequence[str]) -> int:
    """Return which of some folders holds a key: its position, or their number when none does."""
    return next((n for n, folder in enumerate(folders) if is_below(key, folder)), len(folders))


def is_below(key: str, folder: str) -> bool:
    """Return whether a key is a folder or lies in it; the empty folder holds everything."""
    return not folder or key == folder or key.startswith(f"{folder}/")


def clean_folders(folders: Sequence[str]) -> tuple[str, ...]:
    """Return folders as keys: no slashes at their ends, `.` is the root."""
    return tuple("" if folder.strip("/") == "." else folder.strip("/") for folder in folders)
