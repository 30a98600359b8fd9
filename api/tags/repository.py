"""The room's door to Postgres: tags of one account, and the files that carry them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from api.shell.database import beyond_row_security
from api.shell.tag_rows import LOCK, add_tags
from models.tables.base import table_of
from models.tables.files import FileTagRow

TAGS = table_of(FileTagRow)

RETAG = text("""
UPDATE files SET updated_at = now(), version = version + 1,
       tags = CASE WHEN CAST(:new AS text) IS NULL OR tags @> ARRAY[CAST(:new AS text)]
                   THEN array_remove(tags, :old) ELSE array_replace(tags, :old, :new) END
 WHERE user_id = :account_id AND tags @> :carried""").bindparams(
    bindparam("old", type_=Text()),
    bindparam("new", type_=Text()),
    bindparam("carried", type_=ARRAY(Text())),
)
"""One tag of files becomes another one, or none, in its place; no file has a tag twice."""

COUNT_AGAIN = text("""
UPDATE file_tags SET usage_count = (
       SELECT count(*) FROM files WHERE user_id = :account_id AND tags @> :carried)
 WHERE user_id = :account_id AND tag_name = :name""").bindparams(
    bindparam("carried", type_=ARRAY(Text()))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag of an account.

    Attributes:
        usage_count: files that carry it, those in the trash included.
    """

    id: str
    tag_name: str
    tag_color: str | None
    usage_count: int
    created_at: datetime


class AccountTags:
    """The tags of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    async def page(
        self, *, beginning: str, by_use: bool, limit: int, offset: int
    ) -> tuple[list[Tag], int]:
        """Return tags whose name begins so, whatever its case, and how many there are in all."""
        asked = select(TAGS).where(TAGS.c.user_id == self._account_id)
        if beginning:
            asked = asked.where(func.starts_with(func.lower(TAGS.c.tag_name), beginning.lower()))
        count = select(func.count()).select_from(asked.subquery())
        first = (TAGS.c.usage_count.desc(),) if by_use else ()
        names = (func.lower(TAGS.c.tag_name), TAGS.c.tag_name)
        query = asked.order_by(*first, *names).limit(limit).offset(offset)
        rows = (await self._connection.execute(query)).mappings().all()
        total = int((await self._connection.execute(count)).scalar_one())
        return [_tag(row) for row in rows], total

    async def lock(self) -> None:
        """Wait for whoever changes or counts tags of the account, until the transaction ends."""
        await self._connection.execute(LOCK, {"account_id": self._account_id})

    async def find(self, *, tag_id: str | None = None, name: str | None = None) -> Tag | None:
        """Return the tag of an id, or of a name."""
        query = select(TAGS).where(TAGS.c.user_id == self._account_id)
        query = query.where(TAGS.c.id == tag_id if tag_id is not None else TAGS.c.tag_name == name)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _tag(row)

    async def add(self, name: str, limit: int | None) -> None:
        """Make a tag; who calls holds the lock.

        Raises:
            TagLimitError: it is more than the plan allows.
        """
        await add_tags(self._connection, self._account_id, [name], limit)

    async def change(self, tag_id: str, **values: Any) -> None:
        """Write name or color of a tag."""
        chosen = update(TAGS).where(TAGS.c.id == tag_id, TAGS.c.user_id == self._account_id)
        await self._connection.execute(chosen.values(**values))

    async def remove(self, tag_id: str) -> None:
        """Forget a tag; files are not looked at."""
        query = TAGS.delete().where(TAGS.c.id == tag_id, TAGS.c.user_id == self._account_id)
        await self._connection.execute(query)

    async def retag(self, old: str, new: str | None) -> int:
        """Let files that carry a tag carry another one, or none; return how many did.

        Beyond row security, for the index of tags: the statement names the account itself.
        """
        values = {"account_id": self._account_id, "old": old, "new": new, "carried": [old]}
        async with beyond_row_security(self._connection):
            done: CursorResult[Any] = await self._connection.execute(RETAG, values)
        return done.rowcount

    async def count_again(self, name: str) -> None:
        """Count the files of a tag, by the index of tags."""
        values = {"account_id": self._account_id, "name": name, "carried": [name]}
        async with beyond_row_security(self._connection):
            await self._connection.execute(COUNT_AGAIN, values)


def _tag(row: Any) -> Tag:
    return Tag(**{name: row[name] for name in Tag.__dataclass_fields__})
