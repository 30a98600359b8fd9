"""Nearest vectors one by one: every vector of the lake is looked at. Needs no extension."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from models.domain.embeddings import EmbeddingRow
from models.domain.search import POOL, Ranked, SearchScope
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.store.contents import ContentRows
from warehouse.store.parts import Lake


class Scoped(Protocol):
    """Who knows the contents of a scope; `tasks.ledger` provides it."""

    def contents_in(self, scope: SearchScope) -> list[str]:
        """Return the contents of the live files of a scope."""
        ...


class LakeVectors:
    """The vectors at rest in the lake, compared with every query."""

    def __init__(self, lake: Lake, scoped: Scoped) -> None:
        self._rows = ContentRows(lake, EMBEDDINGS)
        self._scoped = scoped

    def rank_by_vector(
        self, scope: SearchScope, query: EmbeddingRow, *, limit: int = POOL
    ) -> list[Ranked]:
        """Return contents nearest to a vector by cosine, of the same model and tower only."""
        inside = pa.array(self._scoped.contents_in(scope), pa.string())
        batches = self._rows.batches(model_id=query.model_id, tower=query.tower)
        return nearest(batches, query, inside, limit)


def nearest(
    batches: Iterable[pa.RecordBatch], query: EmbeddingRow, inside: Any, limit: int
) -> list[Ranked]:
    """Return the contents nearest to a vector, the nearest first; ties by content.

    Args:
        batches: rows of `EmbeddingRow` of one model; a content may come twice.
        query: a vector of length 1, as theirs are.
        inside: Arrow array of the contents that count.
        limit: contents at most.
    """
    import pyarrow.compute as pc

    wanted = np.frombuffer(query.vector, "<f4")
    best: dict[str, float] = {}
    for batch in batches:
        rows = batch.filter(pc.is_in(batch["sha256"], value_set=inside))
        if not rows.num_rows:
            continue
        blobs: list[Any] = rows["vector"].to_pylist()
        vectors = np.frombuffer(b"".join(blobs), "<f4").reshape(rows.num_rows, query.dimension)
        contents: list[Any] = rows["sha256"].to_pylist()
        scores: list[float] = (vectors @ wanted).tolist()
        best.update(zip(contents, scores, strict=True))
        best = dict(sorted(best.items(), key=_by_nearness)[:limit])
    return [Ranked(content=content, score=score) for content, score in best.items()]


def _by_nearness(pair: tuple[str, float]) -> tuple[float, str]:
    content, score = pair
    return -score, content
