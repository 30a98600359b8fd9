"""The room's door to Postgres: the index of words, the vectors, the files found."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.search.embedding import QueryVector
from models.domain.files import StoredFile
from models.domain.search import (
    COMMON,
    POOL,
    SNIPPET_CHARACTERS,
    Ranked,
    SearchScope,
    name_words,
    quoted,
    scope_parameters,
    word_parameters,
)
from models.tables import search_statements
from models.tables.mapping import file_from

MARKS = ("\x02", "\x03", "\x04")
"""Begin and end of a match, and what stands between passages: characters no text keeps."""

HEADLINE = (
    f"StartSel={MARKS[0]}, StopSel={MARKS[1]}, MaxWords=24, MinWords=10, MaxFragments=3,"
    f" FragmentDelimiter={MARKS[2]}"
)

PASSAGES = text("""
SELECT sha256, passage
  FROM my_passages(CAST(:query AS tsquery), CAST(:contents AS text[]), :characters, :options)""")

NEAREST = text("SELECT sha256, score FROM my_nearest(:model_table, :vector, :most)")

NEW_FILES = text("""
SELECT f.id::text AS id, f.filename FROM files f
  JOIN storage_roots r ON r.id = f.root_id AND r.kind = 'managed' AND r.user_id = :account
 WHERE f.user_id = :account AND f.last_job_id IS NULL AND f.deleted_at IS NULL
   AND NOT EXISTS (SELECT FROM search_documents d WHERE d.file_id = f.id)
 ORDER BY f.id LIMIT :most""")
"""Uploads that no flow has indexed yet; few, and found by `idx_files_unpublished`."""

INDEX_NAMES = text("""
INSERT INTO search_documents (file_id, user_id, root_id, made_of, names, words)
SELECT f.id, f.user_id, f.root_id, '', lower(unaccent(n.name)),
       setweight(to_tsvector('fileorganizer_name', n.name), 'A')
       || setweight(to_tsvector('fileorganizer_text', n.name), 'A')
       || setweight(to_tsvector('fileorganizer_text', array_to_string(f.tags, ' ')), 'B')
  FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[])) AS n (id, name)
  JOIN files f ON f.id = n.id AND f.user_id = :account
ON CONFLICT DO NOTHING""")
"""By name and tags alone. What it is `made_of` is left empty, so a flow makes it again whole."""

CAUGHT_UP = 500
"""Uploads indexed by one search at most: some 50 ms."""

FILES = text("""
SELECT f.*, r.kind AS root_kind, r.url AS root_url FROM files f
  JOIN storage_roots r ON r.id = f.root_id
 WHERE f.user_id = :account AND f.id = ANY(CAST(:ids AS uuid[])) AND f.deleted_at IS NULL""")

_IDS = ("id", "user_id", "root_id")


class Index:
    """What is searched, in one transaction of one account."""

    def __init__(self, connection: AsyncConnection, scope: SearchScope) -> None:
        self._connection = connection
        self._parameters = scope_parameters(scope)

    async def catch_up(self) -> None:
        """Let uploads be found by their names before the flow that follows them has read them."""
        account = self._parameters["account"]
        rows = await self._connection.execute(NEW_FILES, {"account": account, "most": CAUGHT_UP})
        new = {row.id: " ".join(name_words(row.filename)).strip() for row in rows}
        if new:
            values = {"account": account, "ids": list(new), "names": list(new.values())}
            await self._connection.execute(INDEX_NAMES, values)

    async def queries(self, words: Sequence[str]) -> list[str]:
        """Return a tsquery for each word that says something; for each at all where none does."""
        rows = await self._ask(search_statements.LEXEMES, words=list(words))
        saying = [row for row in rows if row[1]] or rows
        return [quoted([*stems, *plain]) for _, stems, plain in saying if stems or plain]

    async def by_words(self, queries: Sequence[str]) -> list[Ranked]:
        """Return contents whose files have the words, the best first."""
        if not queries:
            return []
        every, *counts = [await self._count(query) for query in (None, *queries)]
        parameters = word_parameters(queries, every, counts, limit=POOL)
        return _ranked(await self._ask(search_statements.RANK, **parameters))

    async def by_name(self, words: Sequence[str]) -> list[Ranked]:
        """Return contents whose files' names are spelled nearly like the words."""
        asked = " ".join(words)
        return _ranked(await self._ask(search_statements.NAMED, text=asked, limit=POOL))

    async def by_meaning(self, vector: QueryVector) -> list[Ranked]:
        """Return contents whose vectors are nearest to the query's."""
        rows = await self._connection.execute(
            NEAREST, {"model_table": vector.table, "vector": vector.text, "most": POOL}
        )
        return _ranked(rows.all())

    async def files(self, contents: Sequence[str]) -> dict[str, StoredFile]:
        """Return the file to show of each content: no duplicate where possible."""
        rows = await self._ask(search_statements.FILES, contents=list(contents))
        chosen = {row[1]: row[0] for row in rows}
        found = await self._connection.execute(
            FILES, {"account": self._parameters["account"], "ids": list(chosen)}
        )
        files = [
            file_from({**row, **{name: str(row[name]) for name in _IDS}})
            for row in found.mappings()
        ]
        return {chosen[file.id]: file for file in files}

    async def passages(self, queries: Sequence[str], contents: Sequence[str]) -> dict[str, str]:
        """Return passages with the words, marked by `MARKS`, of contents of this account."""
        if not queries or not contents:
            return {}
        rows = await self._connection.execute(
            PASSAGES,
            {
                "query": " | ".join(queries),
                "contents": list(contents),
                "characters": SNIPPET_CHARACTERS,
                "options": HEADLINE,
            },
        )
        return {row.sha256: row.passage for row in rows}

    async def _count(self, query: str | None) -> int:
        limit = 10 * COMMON if query is None else COMMON + 1
        ((count,),) = await self._ask(search_statements.COUNT, query=query, limit=limit)
        return int(count)

    async def _ask(self, statement: str, **parameters: Any) -> Sequence[Any]:
        values: Mapping[str, Any] = {**self._parameters, **parameters}
        return (await self._connection.exec_driver_sql(statement, values)).all()


def _ranked(rows: Sequence[Any]) -> list[Ranked]:
    return [Ranked(content=row[0], score=float(row[1])) for row in rows]
