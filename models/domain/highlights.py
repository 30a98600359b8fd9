"""Where the words of a query are in what was found: places, never markup. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 400
"""Characters of a fragment; a headline of 24 words is some 150."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A passage, and where the words are in it.

    Attributes:
        field: `filename` or `text`.
        matches: (begin, end) of each, in characters.
    """

    field: str
    fragment: str
    matches: tuple[tuple[int, int], ...]


def in_name(filename: str, words: Sequence[str]) -> list[Highlight]:
    """Return where a name has the words, whatever their case; none where it has none."""
    found: list[tuple[int, int]] = []
    for word in words:
        pattern = re.compile(re.escape(word), re.IGNORECASE)
        found += [match.span() for match in pattern.finditer(filename)]
    if not found:
        return []
    return [Highlight(field="filename", fragment=filename, matches=_merged(found))]


def in_text(passage: str, marks: tuple[str, str, str]) -> list[Highlight]:
    """Return the fragments of a marked passage.

    Args:
        passage: fragments with a mark before and one after each match, a third between fragments.
        marks: those three, one character each.
    """
    begin, end, between = marks
    found: list[Highlight] = []
    for raw in passage.split(between):
        marked = " ".join(raw.split())
        fragment, matches, start = "", list[tuple[int, int]](), -1
        for character in marked:
            if character == begin:
                start = len(fragment)
            elif character == end:
                if start >= 0:
                    matches.append((start, len(fragment)))
                start = -1
            else:
                fragment += character
        cut = tuple(match for match in matches if match[1] <= LONGEST)
        if cut:
            found.append(Highlight(field="text", fragment=fragment[:LONGEST], matches=cut))
    return found


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
