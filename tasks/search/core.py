"""A query, several rankings, one answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.domain.embeddings import Embedder, EmbeddingRow, Tower
from models.domain.errors import InvalidError
from models.domain.search import (
    Ranked,
    Ranking,
    SearchHit,
    SearchMode,
    SearchScope,
    fused,
    query_words,
    reasons,
)
from tasks.search.ports import VectorIndex, WordIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One model whose vectors can be asked.

    Attributes:
        embedder: makes the query's vector.
        tower: the side of the model that made the contents' vectors.
        vectors: where those are.
    """

    embedder: Embedder
    tower: Tower
    vectors: VectorIndex

    @property
    def ranking(self) -> Ranking:
        """What a find of it is called."""
        return Ranking.PICTURE if self.tower is Tower.IMAGE else Ranking.MEANING

    def ranked(self, scope: SearchScope, query: str) -> list[Ranked]:
        """Return contents whose vectors are nearest to the query's; of pictures, some may be none.

        Every picture is somewhat near to every text. Those are left out that are as near to words
        that say nothing: the direction from these to the query is asked for, and a picture behind
        it is none. (It also takes away what all texts of such a model have in common.)
        """
        if self.tower is Tower.IMAGE:
            vector, nothing = self.embedder.embed_texts([query, NOTHING_SAID])
            row = self._row(towards(vector, nothing))
            return [each for each in self.vectors.rank_by_vector(scope, row) if each.score > 0]
        (vector,) = self.embedder.embed_texts([query])
        return self.vectors.rank_by_vector(scope, self._row(vector))

    def _row(self, vector: bytes) -> EmbeddingRow:
        return EmbeddingRow(
            sha256="",
            model_id=self.embedder.model_id,
            tower=self.tower.value,
            dimension=self.embedder.dimension,
            vector=vector,
        )


NOTHING_SAID = "a picture"
"""Words that are as true of every picture."""


def towards(vector: bytes, origin: bytes) -> bytes:
    """Return the direction from one vector to another, of length 1; zeros where they are equal."""
    import numpy as np

    away = np.frombuffer(vector, "<f4") - np.frombuffer(origin, "<f4")
    return (away / max(float(np.linalg.norm(away)), 1e-12)).astype("<f4").tobytes()


def search(
    query: str,
    scope: SearchScope,
    *,
    index: WordIndex,
    meanings: Sequence[Meaning] = (),
    mode: SearchMode = SearchMode.HYBRID,
    limit: int = 10,
) -> list[SearchHit]:
    """Return files for a query, the best first; one file for each content.

    Args:
        query: words, or a sentence.
        scope: whose files, and where.
        index: files by words.
        meanings: models to ask; without one, hybrid is by words only.
        mode: which rankings are asked.
        limit: answers at most.

    Raises:
        InvalidError: the query says nothing, or a search by meaning has no model.
    """
    words = query_words(query)
    if not words:
        raise InvalidError("say what to look for, in words")
    if mode is SearchMode.SEMANTIC and not meanings:
        raise InvalidError("no model is there to search by meaning; --mode text needs none")
    asked: dict[Ranking, Callable[[], list[Ranked]]] = {}
    if mode is not SearchMode.SEMANTIC:
        asked[Ranking.WORDS] = lambda: index.rank_by_words(scope, words)
        asked[Ranking.NAME] = lambda: index.rank_by_name(scope, words)
    if mode is not SearchMode.TEXT:
        for each in meanings:
            asked[each.ranking] = lambda each=each: each.ranked(scope, query)
    return _hits({name: ask() for name, ask in asked.items()}, scope, words, index, limit)


def _hits(
    rankings: Mapping[Ranking, Sequence[Ranked]],
    scope: SearchScope,
    words: Sequence[str],
    index: WordIndex,
    limit: int,
) -> list[SearchHit]:
    best = fused(rankings)
    files = index.found_files(scope, [each.content for each in best])
    shown = [each for each in best if each.content in files][:limit]
    snippets = index.snippets(words, [each.content for each in shown])
    return [
        SearchHit(
            file=files[each.content],
            score=each.score,
            why=reasons(each),
            snippet=snippets.get(each.content, ""),
        )
        for each in shown
    ]
