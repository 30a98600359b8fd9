"""Searching files: what is found, why, and how rankings become one. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.domain.columns import column
from models.domain.paths import split_name

TEXT_VERSION = 1
"""Raised whenever the text kept of the same bytes would differ."""
SCAN_VERSION = 101
"""The same of texts read off pictures. Above every `TEXT_VERSION`: a content that nobody could read
is read again once scans can be, and never the other way round."""
TEXT_CHARACTERS = 100_000
"""Characters kept of a content's text, from its beginning: some thirty pages."""

RRF_K = 60
"""Cormack, Clarke, Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual
rank learning methods", section 2: fixed at 60 in a pilot and not altered."""

POOL = 100
"""Contents of a ranking that are fused: at k = 60 what is below adds less than 1/160."""

COMMON = 20_000
"""A word in more files is too common to choose candidates by, as long as another is not."""
WEIGHTS = "{0.25,0.3,0.6,1.0}"
"""Of text, category and folders, title and tags, name: a word in the name of a file says most."""
PHRASE = 0.5
"""Share of the words' worth that a phrase adds."""

SNIPPET_CHARACTERS = 20_000
"""Characters searched for a passage: `ts_headline` reads the text again, 1 ms for each 10,000."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_GAP = re.compile(r"[\W_]+")
_IDEOGRAPH = re.compile(
    "([\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
"""Scripts written without spaces, sign by sign: CJK, kana (Unicode blocks)."""


class SearchMode(StrEnum):
    """Which rankings are asked."""

    TEXT = "text"
    SEMANTIC = "semantic"
    HYBRID = "hybrid"


class Ranking(StrEnum):
    """Why something was found."""

    WORDS = "words"
    """Its name, title, tags or text have the query's words."""
    NAME = "name"
    """Its name is spelled nearly so."""
    MEANING = "meaning"
    """Its text means nearly so."""
    PICTURE = "picture"
    """It shows nearly so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentText:
    """The text of one content."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    version: int = column("`TEXT_VERSION` it was read with.", default=TEXT_VERSION)
    title: str | None = column("Title or subject the content states.", default=None)
    sample: str = column("Its text, from the beginning; empty when there is none.", default="")
    characters: int = column("Characters of the whole text.", default=0)
    problem: str | None = column("Why there is no text, in words.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchScope:
    """Whose files are searched, and where.

    Attributes:
        account_id: whose.
        root_id: in which root; in all of them when None.
        prefix: folder of the root, empty for all of it.
        category: a category, or one of the coarse names; any when None.
        tags: names of tags that a file must all have.
        media_type: `image`, `application/pdf`, or an extension with its dot; any when None.
        since: files known since then or later.
        until: files known before then.
    """

    account_id: str
    root_id: str | None = None
    prefix: str = ""
    category: str | None = None
    tags: tuple[str, ...] = ()
    media_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A content at its place in one ranking.

    Attributes:
        content: its SHA-256, or the id of a file that was not read.
        score: as the ranking counts; only the order matters to a fusion.
    """

    content: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A content at its place among all rankings.

    Attributes:
        score: sum of 1 / (k + rank).
        ranks: its place in each ranking that has it, from 1, and the score there.
    """

    content: str
    score: float
    ranks: Mapping[Ranking, tuple[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A live file of a content that was found."""

    content: str
    file_id: str
    root_url: str
    key: str
    category: str | None
    subcategory: str | None
    size_bytes: int
    copies: int
    """Further files of the same content in the scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One answer.

    Attributes:
        why: the rankings that found it, the strongest first.
        snippet: the passage with the query's words between `[` and `]`; empty when none has any.
    """

    file: FoundFile
    score: float
    why: tuple[Ranking, ...]
    snippet: str = ""


def scope_parameters(scope: SearchScope) -> dict[str, Any]:
    """Return the parameters that every search has."""
    return {
        "account": scope.account_id,
        "root": scope.root_id,
        "prefix": scope.prefix,
        "category": scope.category,
        "tags": list(scope.tags) or None,
        "media_type": scope.media_type,
        "since": scope.since,
        "until": scope.until,
    }


def quoted(lexemes: Sequence[str], *, operator: str = " | ") -> str:
    """Return lexemes as a tsquery that any of them satisfies."""
    escaped = (each.replace("\\", "\\\\").replace("'", "''") for each in dict.fromkeys(lexemes))
    return operator.join(f"'{each}'" for each in escaped)


def word_parameters(
    queries: Sequence[str], every: int, counts: Sequence[int], *, limit: int
) -> dict[str, Any]:
    """Return the parameters of a ranking by words.

    Args:
        queries: (n,) tsqueries, one a word.
        every: files in all.
        counts: (n,) files that have each word.
        limit: contents at most.
    """
    worths = [math.log(1 + (every - n + 0.5) / (n + 0.5)) for n in counts]
    rare = [query for query, n in zip(queries, counts, strict=True) if n <= COMMON]
    is_phrase = len(queries) > 1
    return {
        "queries": list(queries),
        "worths": worths,
        "weights": WEIGHTS,
        "any": " | ".join(queries),
        "phrase": " <-> ".join(f"({query})" for query in queries) if is_phrase else None,
        "bonus": PHRASE * sum(worths),
        "candidates": " | ".join(rare or queries),
        "limit": limit,
    }


def fused(rankings: Mapping[Ranking, Sequence[Ranked]], *, k: int = RRF_K) -> list[Fused]:
    """Return contents by reciprocal rank fusion, the best first; ties by content.

    Args:
        rankings: each the best first; a content that comes twice counts once.
        k: the larger, the less the first places count.
    """
    ranks: dict[str, dict[Ranking, tuple[int, float]]] = {}
    for ranking, found in rankings.items():
        place = 0
        for each in found:
            mine = ranks.setdefault(each.content, {})
            if ranking not in mine:
                place += 1
                mine[ranking] = (place, each.score)
    scored = [
        Fused(content=content, score=sum(1 / (k + rank) for rank, _ in mine.values()), ranks=mine)
        for content, mine in ranks.items()
    ]
    return sorted(scored, key=lambda each: (-each.score, each.content))


def reasons(found: Fused) -> tuple[Ranking, ...]:
    """Return why a content was found, the ranking where it stands highest first."""
    return tuple(sorted(found.ranks, key=lambda ranking: (found.ranks[ranking][0], ranking)))


def spaced(text: str) -> str:
    """Return a text whose ideographs and kana stand apart, so that each is a word."""
    return _IDEOGRAPH.sub(r" \1 ", text)


def words_in(text: str) -> list[str]:
    """Return the words of a name or a query: `IMG_2041-beachParty` is `IMG 2041 beach Party`."""
    parted = _CAMEL.sub(" ", spaced(text))
    return _GAP.sub(" ", parted).split()


def name_words(key: str) -> tuple[str, str]:
    """Return the words of a file's own name and those of its folders, spaces between."""
    folder, stem, extension = split_name(key)
    return " ".join(words_in(f"{stem} {extension}")), " ".join(words_in(folder))


def query_words(query: str, *, at_most: int = 32) -> list[str]:
    """Return the distinct words of a query in their order, lower case; a novel is cut short."""
    return list(dict.fromkeys(word.casefold() for word in words_in(query[:2000])))[:at_most]
