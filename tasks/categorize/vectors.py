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

    def known(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """Return the vectors that are there, by content."""
        rows: dict[str, EmbeddingRow] = self._rows.of(hashes, model_id=self.embedder.model_id)
        return {key: row.vector for key, row in rows.items()}

    def of_texts(self, texts: Mapping[str, str], *, made_by: str) -> dict[str, bytes]:
        """Return the vectors of texts by the hash that each is known by.

        Args:
            texts: by hash; those of "" have none.
            made_by: the job and its batch; what is made is kept under this name once.
        """
        wanted = {key: text for key, text in texts.items() if text}
        found = self.known(list(wanted))
        missing = [key for key in wanted if key not in found]
        made = self.embedder.embed_texts([wanted[key] for key in missing]) if missing else []
        return found | self._kept(dict(zip(missing, made, strict=True)), Tower.TEXT, made_by)

    def of_pictures(
        self, pictures: Mapping[str, bytes], embedder: ImageEmbedder, *, made_by: str
    ) -> dict[str, bytes]:
        """Return the vectors of encoded pictures by the hash of the content that they show."""
        keys = sorted(pictures)
        made = embedder.embed_images([pictures[key] for key in keys]) if keys else []
        return self._kept(dict(zip(keys, made, strict=True)), Tower.IMAGE, made_by)

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
        self._rows.add(rows, made_by=f"{made_by}-{self.embedder.model_id}")
        return made


def evidence_text(evidence: TextEvidence) -> str:
    """Return what is embedded of a content: its title, unless the text begins so, and its text."""
    title = (evidence.title or "").strip()
    if not title or evidence.text.casefold().startswith(title.casefold()):
        return evidence.text
    return f"{title}. {evidence.text}".removesuffix(". ")


def text_hash(text: str) -> str:
    """Return the hash that a text without a content of its own (a name) is known by."""
    return hashlib.sha256(b"text\0" + text.encode("utf-8", "surrogatepass")).hexdigest()
