"""What a learned model makes of a content: vectors, and the text they are made from.

A vector belongs to the model that made it: vectors of two model ids are never compared.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from models.domain.columns import column

EVIDENCE_VERSION = 2
"""Raised whenever the evidence of the same bytes would differ; part of every cache key."""


class Tower(StrEnum):
    """Which side of a model made a vector; towers of one model share a space."""

    TEXT = "text"
    IMAGE = "image"
    FACTS = "facts"
    """The text side, of what a content's metadata say."""


class TextSource(StrEnum):
    """Where the text of a content came from."""

    TEXT = "text"
    """The content itself, or its text layer."""
    OCR = "ocr"
    """Read from a picture of it."""
    NONE = "none"
    """There is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRow:
    """The vector of one content by one model."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    model_id: str = column("Model that made it; only vectors of one model are comparable.")
    tower: str = column("Which side of the model, a `Tower`.")
    dimension: int = column("Numbers in the vector.")
    vector: bytes = column("`dimension` little-endian float32 values, of Euclidean length 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEvidence:
    """What a content says in words, as far as a model needs it."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    version: int = column("`EVIDENCE_VERSION` it was made with.")
    title: str | None = column("Title or subject the content states; null when none.", default=None)
    text: str = column("Some 2,000 characters: the beginning, then samples of the rest.")
    language: str | None = column("ISO 639-1 code, where it could be told.", default=None)
    source: str = column("Where the text came from, a `TextSource`.")
    problem: str | None = column("Why there is no text, in words; null when none.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextContent:
    """One content whose text is wanted, and a file that holds it."""

    sha256: str = column("SHA-256, 64 hexadecimal digits.")
    key: str = column("A file of this content: the first by its path.")
    label: str = column("Content type by signature or Magika.")
    size_bytes: int = column("Size in bytes.")
    version: str = column("Version of the file that was read.")
    title: str | None = column("Title or subject in the file.", default=None)
    facts: str = column("What its metadata say, as a sentence; empty when nothing.", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """One frame of a film, as it is looked at."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    number: int = column("Its place among the frames, from 0.")
    picture: bytes = column("WebP within 256 by 256 pixels, upright.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentGuess:
    """What a learned model makes of one content; categories by their ids."""

    sha256: str = column("Content, 64 hexadecimal digits.")
    category: str = column("Id of the first level.")
    subcategory: str | None = column("Id of the second level; null when it is not sure.")
    confidence_ratio: float = column("Probability in [0, 1] that `category` is right.")
    reason: str = column("Why, in words.")
    alternatives: str = column("The likeliest categories with their probabilities, in words.")
    decided_by: str = column("Models that decided.")


def vector_table(model_id: str, tower: str) -> str:
    """Return the name of the table in Postgres that holds the vectors of one model's tower."""
    digest = hashlib.sha256(f"{model_id}\x1f{tower}".encode()).hexdigest()
    return f"model_{digest[:16]}"


class Embedder(Protocol):
    """A model with a text tower.

    `embed_texts` and `embed_images` return one vector for each item, in order, as the bytes that
    `EmbeddingRow.vector` holds: `numpy.frombuffer(b"".join(vectors), "<f4").reshape(n, dimension)`.
    Equal inputs give equal vectors, whatever they are batched with, up to rounding.
    """

    @property
    def model_id(self) -> str:
        """Name and revision of the weights, and of what is done before them."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> list[bytes]:
        """Return the vectors of (n,) texts; a long one is cut to what the model reads."""
        ...


class ImageEmbedder(Embedder, Protocol):
    """A model whose image tower shares the space of its text tower."""

    def embed_images(self, images: Sequence[bytes]) -> list[bytes]:
        """Return the vectors of (n,) encoded pictures (JPEG or PNG).

        Raises:
            InvalidError: one of them is no picture.
        """
        ...
