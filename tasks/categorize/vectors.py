"""Vectors of contents: from the cache, else made and kept. Nothing is embedded twice."""

import hashlib
from collections.abc import Mapping, Sequence

from models.domain.embeddings import Embedder, EmbeddingRow, ImageEmbedder, TextEvidence, Tower
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.store.contents import ContentRows
from warehouse.store.parts import Lake


class Vectors:
    """The vectors of one model.

    Attributes:
        embedder: makes those that are not there.
    """

    def __init__(self, lake: Lake, embedder: Embedder) -> None:
        self._rows = ContentRows(lake, EMBEDDINGS)
        self.embedder = embedder

    def known(self, hashes: Sequence[str], tower: Tower) -> dict[str, bytes]:
        """Return the vectors of a tower that are there, by content."""
        rows: dict[str, EmbeddingRow] = self._rows.of(
            hashes, model_id=self.embedder.model_id, tower=tower.value
        )
        return {key: row.vector for key, row in rows.items()}

    def of_texts(
        self, texts: Mapping[str, str], *, made_by: str, tower: Tower = Tower.TEXT
    ) -> dict[str, bytes]:
        """Return the vectors of texts by the hash that each is known by.

        Equal texts are embedded once.

        Args:
            texts: by hash; those of "" have none.
            made_by: the job and its batch; what is made is kept under this name once.
            tower: what the texts are: the contents' own, or what their metadata say.
        """
        wanted = {key: text for key, text in texts.items() if text}
        found = self.known(list(wanted), tower)
        missing = {key: text for key, text in wanted.items() if key not in found}
        distinct = list(dict.fromkeys(missing.values()))
        made = self.embedder.embed_texts(distinct) if distinct else []
        by_text = dict(zip(distinct, made, strict=True))
        return found | self._kept(
            {key: by_text[text] for key, text in missing.items()}, tower, made_by
        )

    def of_pictures(
        self, pictures: Mapping[str, bytes], embedder: ImageEmbedder, *, made_by: str
    ) -> dict[str, bytes]:
        """Return the vectors of encoded pictures by the hash of the content that they show."""
        keys = sorted(pictures)
        made = embedder.embed_images([pictures[key] for key in keys]) if keys else []
        return self._kept(dict(zip(keys, made, strict=True)), Tower.IMAGE, made_by)

    def of_films(
        self, films: Mapping[str, Sequence[bytes]], embedder: ImageEmbedder, *, made_by: str
    ) -> dict[str, bytes]:
        """Return the vectors of films by the hash of the content: the mean of their frames'.

        Args:
            films: encoded pictures of each; one without any has no vector.
            embedder: the model.
            made_by: the job and its batch.
        """
        keys = [key for key in sorted(films) if films[key]]
        seen = embedder.embed_images([frame for key in keys for frame in films[key]])
        made: dict[str, bytes] = {}
        for key in keys:
            frames, seen = seen[: len(films[key])], seen[len(films[key]) :]
            made[key] = _mean(frames)
        return self._kept(made, Tower.IMAGE, made_by)

    def _kept(self, made: dict[str, bytes], tower: Tower, made_by: str) -> dict[str, bytes]:
        rows = {
            key: EmbeddingRow(
                sha256=key,
                model_id=self.embedder.model_id,
                tower=tower,
                dimension=self.embedder.dimension,
                vector=vector,
            )
            for key, vector in made.items()
        }
        self._rows.add(rows, made_by=f"{made_by}-{tower}-{self.embedder.model_id}")
        return made


def _mean(vectors: Sequence[bytes]) -> bytes:
    """Return the direction that vectors have in common, of length 1."""
    import numpy as np

    mean = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1).mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype("<f4").tobytes()


def evidence_text(evidence: TextEvidence) -> str:
    """Return what is embedded of a content: its title, unless the text begins so, and its text."""
    title = (evidence.title or "").strip()
    if not title or evidence.text.casefold().startswith(title.casefold()):
        return evidence.text
    return f"{title}. {evidence.text}".removesuffix(". ")


def text_hash(text: str) -> str:
    """Return the hash that a text without a content of its own (a name) is known by."""
    return hashlib.sha256(b"text\0" + text.encode("utf-8", "surrogatepass")).hexdigest()
