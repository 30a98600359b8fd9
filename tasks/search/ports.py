"""What searching needs of others."""

from collections.abc import Sequence
from typing import Protocol

from models.domain.embeddings import EmbeddingRow
from models.domain.search import FoundFile, Ranked, SearchScope


class WordIndex(Protocol):
    """Files by words; `tasks.ledger` provides it."""

    def rank_by_words(
        self, scope: SearchScope, words: Sequence[str], *, limit: int = ...
    ) -> list[Ranked]:
        """Return contents that have the words, the best first."""
        ...

    def rank_by_name(
        self, scope: SearchScope, words: Sequence[str], *, limit: int = ...
    ) -> list[Ranked]:
        """Return contents whose names are spelled nearly so, the best first."""
        ...

    def found_files(self, scope: SearchScope, contents: Sequence[str]) -> dict[str, FoundFile]:
        """Return the file to show of each content."""
        ...

    def snippets(self, words: Sequence[str], contents: Sequence[str]) -> dict[str, str]:
        """Return the passage of each content that has one of the words."""
        ...


class VectorIndex(Protocol):
    """Contents by meaning: pgvector, or the lake's vectors one by one."""

    def rank_by_vector(
        self, scope: SearchScope, query: EmbeddingRow, *, limit: int = ...
    ) -> list[Ranked]:
        """Return contents nearest to a vector of the same model and tower, the best first."""
        ...
