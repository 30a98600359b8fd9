"""How a search is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from api.search.embedding import QueryVector
from api.search.repository import MARKS, Index
from api.shell.principal import Principal
from models.domain.entitlements import Feature
from models.domain.errors import InvalidError, MissingError
from models.domain.files import StoredFile
from models.domain.highlights import Highlight, in_name, in_text
from models.domain.search import Ranked, Ranking, fused, query_words

Embed = Callable[[str], Awaitable[QueryVector]]
"""Makes a query's vector.

Raises:
    MissingError: nobody does that here now.
"""


class Mode(StrEnum):
    """What is asked."""

    TEXT = "text"
    """Words and names."""
    SEMANTIC = "semantic"
    """Meanings, too: together they find more than either alone (docs/search.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file that was found."""

    file: StoredFile
    score: float
    highlights: list[Highlight]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A part of what was found.

    Attributes:
        total: found in all.
        mode: what was asked in the end.
        note: why that is less than what was wanted; None when it is not.
    """

    found: list[Found]
    total: int
    mode: Mode
    note: str | None


async def search(
    index: Index,
    principal: Principal,
    query: str,
    mode: Mode,
    *,
    embed: Embed,
    limit: int,
    offset: int,
) -> Answer:
    """Return the files that a query finds, the best first; equal contents are one answer.

    Raises:
        ForbiddenError: meanings are asked for and the plan has none.
        InvalidError: the query says nothing.
    """
    if mode is Mode.SEMANTIC:
        principal.require_feature(Feature.AI_CATEGORIZATION)
    words = query_words(query)
    if not words:
        raise InvalidError("say what to look for, in words")
    await index.catch_up()
    queries = await index.queries(words)
    rankings: dict[Ranking, list[Ranked]] = {
        Ranking.WORDS: await index.by_words(queries),
        Ranking.NAME: await index.by_name(words),
    }
    note = None
    if mode is Mode.SEMANTIC:
        try:
            rankings[Ranking.MEANING] = await index.by_meaning(await embed(query))
        except MissingError as error:
            mode, note = Mode.TEXT, f"by words only: {error}"
    best = fused(rankings)
    files = await index.files([each.content for each in best])
    shown = [each for each in best if each.content in files]
    part = shown[offset : offset + limit]
    passages = await index.passages(queries, [each.content for each in part])
    return Answer(
        found=[
            Found(
                file=files[each.content],
                score=each.score,
                highlights=[
                    *in_name(files[each.content].filename, words),
                    *in_text(passages.get(each.content, ""), MARKS),
                ],
            )
            for each in part
        ],
        total=len(shown),
        mode=mode,
        note=note,
    )
