"""The room's door to Postgres: files of one account."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger, Text

from api.shell.database import beyond_row_security
from api.shell.file_rows import FILES, ROOTS, files_of_account
from models.domain.connections import Connection
from models.domain.files import FileFilter, FileSort, SortOrder, StoredFile, TagMatch, is_coarse
from models.tables.base import table_of
from models.tables.mapping import connection_from, file_from
from models.tables.organizing import ConnectionRow

CONNECTIONS = table_of(ConnectionRow)

SORTED_BY: dict[FileSort, tuple[ColumnElement[Any], Any]] = {
    FileSort.CREATED_AT: (FILES.c.created_at, TIMESTAMP(timezone=True)),
    FileSort.SIZE: (FILES.c.file_size_bytes, BigInteger()),
    FileSort.FILENAME: (FILES.c.filename, Text()),
}
"""By what a list is sorted, and the type of a place in it."""

_IDS = bindparam("ids", type_=ARRAY(UUID(as_uuid=False)))

TRASH = text("""
UPDATE files SET deleted_at = now(), updated_at = now(), version = version + 1,
       purge_after = now() + make_interval(days => CAST(:days AS integer))
 WHERE user_id = :account AND id = ANY(:ids) AND deleted_at IS NULL
RETURNING id::text""").bindparams(_IDS)
"""Bytes and rows stay until the trash is emptied."""

RESTORE = text("""
UPDATE files SET deleted_at = NULL, updated_at = now(), version = version + 1, purge_after = NULL
 WHERE user_id = :account AND id = ANY(:ids) AND deleted_at IS NOT NULL
   AND purge_after > now()
RETURNING id::text""").bindparams(_IDS)

EMPTY = text("""
UPDATE files SET purge_after = now(), updated_at = now(), version = version + 1
 WHERE user_id = :account AND deleted_at IS NOT NULL AND purge_after > now()
RETURNING id::text""")
"""The purge takes what is due; until it comes, nothing of it can be restored."""

CHANGE = text("""
UPDATE files SET filename = :filename, chosen_category = :category, coarse_category = :coarse,
       tags = :tags, updated_at = now(), version = version + 1
 WHERE user_id = :account AND id = CAST(:id AS uuid) AND deleted_at IS NULL
   AND version = :version
RETURNING id::text""").bindparams(bindparam("tags", type_=ARRAY(Text())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which files are wanted, in which order."""

    wanted: FileFilter
    sort: FileSort = FileSort.CREATED_AT
    order: SortOrder = SortOrder.DESC
    is_trash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some files of a list, and whether more follow."""

    files: tuple[StoredFile, ...]
    has_more: bool


class Files:
    """The files of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    async def part(
        self, listing: Listing, *, limit: int, offset: int = 0, after: tuple[Any, str] | None = None
    ) -> Part:
        """Return a part of a list: from an offset, or after a place."""
        query = self._chosen(files_of_account(self._account_id), listing)
        value, kind = SORTED_BY[listing.sort]
        if listing.is_trash:
            value, kind = FILES.c.deleted_at, TIMESTAMP(timezone=True)
        is_down = listing.order is SortOrder.DESC
        if after is not None:
            place = tuple_(
                bindparam("place", after[0], type_=kind),
                bindparam("place_id", after[1], type_=UUID(as_uuid=False)),
            )
            here = tuple_(value, FILES.c.id)
            query = query.where(here < place if is_down else here > place)
        keys = (value, FILES.c.id)
        query = query.order_by(*(key.desc() if is_down else key.asc() for key in keys))
        rows = await self._read(query.offset(offset).limit(limit + 1), listing)
        found = [file_from(row) for row in rows]
        return Part(files=tuple(found[:limit]), has_more=len(found) > limit)

    async def count(self, listing: Listing) -> int:
        """Return how many files a list has."""
        query = self._chosen(
            select(func.count().label("n"))
            .select_from(FILES)
            .where(FILES.c.user_id == self._account_id),
            listing,
        )
        return int((await self._read(query, listing))[0]["n"])

    async def some(self, ids: Sequence[str], *, is_locked: bool = False) -> list[StoredFile]:
        """Return those of some files that are there, in the trash or not."""
        query = files_of_account(self._account_id).where(FILES.c.id.in_(ids))
        if is_locked:
            query = query.order_by(FILES.c.id).with_for_update(of=FILES)
        return [file_from(row) for row in (await self._connection.execute(query)).mappings()]

    async def by_content(self, sha256s: Iterable[str]) -> dict[str, str]:
        """Return for each of some contents a file that holds it, the oldest."""
        query = (
            select(FILES.c.sha256_hash, FILES.c.id)
            .where(
                FILES.c.user_id == self._account_id,
                FILES.c.sha256_hash.in_(list(sha256s)),
                FILES.c.deleted_at.is_(None),
            )
            .order_by(FILES.c.created_at.desc(), FILES.c.id.desc())
        )
        return {row[0]: row[1] for row in await self._connection.execute(query)}

    async def trash(self, ids: Sequence[str], *, days: int) -> set[str]:
        """Put files into the trash; returns which were."""
        return await self._changed(TRASH, ids=list(ids), days=days)

    async def restore(self, ids: Sequence[str]) -> set[str]:
        """Take files out of the trash; returns which were."""
        return await self._changed(RESTORE, ids=list(ids))

    async def empty_trash(self) -> int:
        """Let the next purge take all that is in the trash; returns how many that are."""
        return len(await self._changed(EMPTY))

    async def change(
        self,
        file: StoredFile,
        *,
        filename: str,
        category: str | None,
        coarse: str,
        tags: Sequence[str],
    ) -> bool:
        """Write what was changed, unless somebody else changed the file meanwhile."""
        done = await self._changed(
            CHANGE,
            id=file.id,
            version=file.version,
            filename=filename,
            category=category,
            coarse=coarse,
            tags=list(tags),
        )
        return bool(done)

    async def connection_of(self, root_id: str) -> Connection | None:
        """Return the connection that a root is reached by; None of managed storage."""
        query = (
            select(CONNECTIONS)
            .join(ROOTS, ROOTS.c.connection_id == CONNECTIONS.c.id)
            .where(ROOTS.c.id == root_id, CONNECTIONS.c.user_id == self._account_id)
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else connection_from(row)

    @staticmethod
    def _chosen(query: Select[Any], listing: Listing) -> Select[Any]:
        wanted = listing.wanted
        if listing.is_trash:
            query = query.where(FILES.c.deleted_at.is_not(None), FILES.c.purge_after > func.now())
        else:
            query = query.where(FILES.c.deleted_at.is_(None))
        if wanted.category is not None and is_coarse(wanted.category):
            query = query.where(FILES.c.coarse_category == wanted.category)
        elif wanted.category is not None:
            query = query.where(
                or_(
                    FILES.c.chosen_category == wanted.category,
                    and_(FILES.c.chosen_category.is_(None), FILES.c.category == wanted.category),
                )
            )
        if wanted.tags:
            tags = bindparam("tags", list(wanted.tags), type_=ARRAY(Text()))
            is_all = wanted.match is TagMatch.ALL
            query = query.where(FILES.c.tags.op("@>" if is_all else "&&")(tags))
        return query

    async def _read(self, query: Select[Any], listing: Listing) -> list[Any]:
        """Read rows; those with tags by the index of tags, which a policy would keep away from."""
        async with AsyncExitStack() as stack:
            if listing.wanted.tags:
                await stack.enter_async_context(beyond_row_security(self._connection))
            return list((await self._connection.execute(query)).mappings())

    async def _changed(self, statement: Any, **values: Any) -> set[str]:
        found = await self._connection.execute(statement, {"account": self._account_id, **values})
        return {str(row[0]) for row in found}


def place_of(file: StoredFile, listing: Listing) -> tuple[Any, str]:
    """Return where a file stands in a list, as a cursor holds it."""
    if listing.is_trash:
        value: Any = file.deleted_at
    elif listing.sort is FileSort.CREATED_AT:
        value = file.created_at
    else:
        value = file.size_bytes if listing.sort is FileSort.SIZE else file.filename
    return (value.isoformat() if isinstance(value, datetime) else value), file.id
