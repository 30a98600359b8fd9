"""The words files are found by: made for files that changed, and ranked for a query."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from models.domain.search import (
    COMMON,
    POOL,
    SNIPPET_CHARACTERS,
    FoundFile,
    Ranked,
    SearchScope,
    name_words,
    quoted,
    scope_parameters,
    spaced,
    word_parameters,
)
from models.tables.search_statements import (
    CONTENTS,
    COUNT,
    FILES,
    FORGET,
    LEXEMES,
    MAKE_NAMES,
    MERGE,
    NAMED,
    RANK,
    SNIPPETS,
    STALE,
)
from tasks.ledger.database import Database

BATCH_FILES = 5000
"""Files of a transaction: about two seconds."""


class SearchIndex(Database):
    """The part of the ledger that finds files by words."""

    def index_files(self, root_id: str) -> int:
        """Bring the words of a root's files up to date; returns how many files changed."""
        changed = 0
        while True:
            with self._transaction() as connection:
                driver = self._driver(connection)
                parameters = {"root": root_id, "limit": BATCH_FILES}
                if changed == 0:
                    driver.execute(FORGET, parameters)
                stale = driver.execute(STALE, parameters).fetchall()
                if not stale:
                    return changed
                driver.execute(MAKE_NAMES)
                copy = "COPY incoming_names (file_id, name, folders, sample, made_of) FROM STDIN"
                with driver.cursor().copy(copy) as rows:
                    for row in _named(stale):
                        rows.write_row(row)
                driver.execute(MERGE)
            changed += len(stale)

    def rank_by_words(
        self, scope: SearchScope, words: Sequence[str], *, limit: int = POOL
    ) -> list[Ranked]:
        """Return contents whose files have the words, by how rare and where those are.

        A word is worth its inverse document frequency (Sparck Jones 1972) times `ts_rank`, which
        counts occurrences ever less; files that have a phrase of all words get more.

        Args:
            scope: whose files, and where.
            words: as `query_words` gives them.
            limit: contents at most.
        """
        parameters = scope_parameters(scope)
        with self._transaction() as connection:
            driver = self._driver(connection)
            queries = _queries(driver, words)
            if not queries:
                return []
            every, *counts = [_count(driver, parameters, query) for query in (None, *queries)]
            parameters |= word_parameters(queries, every, counts, limit=limit)
            rows = driver.execute(RANK, parameters).fetchall()
        return [Ranked(content=row[0], score=row[1]) for row in rows]

    def rank_by_name(
        self, scope: SearchScope, words: Sequence[str], *, limit: int = POOL
    ) -> list[Ranked]:
        """Return contents whose files' names are spelled nearly like the words (trigrams)."""
        parameters = scope_parameters(scope) | {"text": " ".join(words), "limit": limit}
        if not words:
            return []
        with self._transaction() as connection:
            rows = self._driver(connection).execute(NAMED, parameters).fetchall()
        return [Ranked(content=row[0], score=row[1]) for row in rows]

    def contents_in(self, scope: SearchScope) -> list[str]:
        """Return the contents of the live files of a scope, sorted."""
        with self._transaction() as connection:
            rows = self._driver(connection).execute(CONTENTS, scope_parameters(scope)).fetchall()
        return [row[0] for row in rows]

    def found_files(self, scope: SearchScope, contents: Sequence[str]) -> dict[str, FoundFile]:
        """Return the file to show of each content: no duplicate where possible, nearest the top."""
        parameters = scope_parameters(scope) | {"contents": list(contents)}
        names = FoundFile.__slots__
        with self._transaction() as connection:
            rows = self._driver(connection).execute(FILES, parameters).fetchall()
        return {row[0]: FoundFile(**dict(zip(names, row, strict=True))) for row in rows}

    def snippets(self, words: Sequence[str], contents: Sequence[str]) -> dict[str, str]:
        """Return the passage of each content that has one of the words, marked `[so]`."""
        with self._transaction() as connection:
            driver = self._driver(connection)
            queries = _queries(driver, words)
            if not queries:
                return {}
            parameters = {
                "query": " | ".join(queries),
                "contents": list(contents),
                "characters": SNIPPET_CHARACTERS,
            }
            rows = driver.execute(SNIPPETS, parameters).fetchall()
        return {row[0]: " ".join(row[1].split()) for row in rows}


def _named(
    stale: Sequence[tuple[Any, ...]],
) -> Iterator[tuple[Any, str, str, str | None, str]]:
    for file_id, key, sample, made_of in stale:
        name, folders = name_words(key)
        yield file_id, name, folders, None if sample is None else spaced(sample), made_of


def _queries(driver: "psycopg.Connection[Any]", words: Sequence[str]) -> list[str]:
    """Return a tsquery for each word that says something; for each at all where none does."""
    rows = driver.execute(LEXEMES, {"words": list(words)}).fetchall()
    saying = [row for row in rows if row[1]] or rows
    return [quoted([*stems, *plain]) for _, stems, plain in saying if stems or plain]


def _count(driver: "psycopg.Connection[Any]", scope: dict[str, Any], query: str | None) -> int:
    limit = 10 * COMMON if query is None else COMMON + 1
    row = driver.execute(COUNT, {**scope, "query": query, "limit": limit}).fetchone()
    return int(row[0]) if row else 0
