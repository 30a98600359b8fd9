"""Storage roots of one account: where its uploads lie, and folders of its connections."""

import asyncio

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.connections import Connection, ConnectionType
from models.domain.errors import InvalidError, MissingError
from models.domain.source_paths import SourcePath
from models.domain.storage_roots import RootKind, StorageRoot
from models.tables.base import table_of
from models.tables.mapping import connection_from, root_from
from models.tables.organizing import ConnectionRow
from models.tables.roots import StorageRootRow
from storage.opening import canonical_url, local_path

ROOTS = table_of(StorageRootRow)
CONNECTIONS = table_of(ConnectionRow)


class AccountRoots:
    """Roots and connections of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    async def of(self, source: SourcePath, *, managed_url: str) -> StorageRoot:
        """Return the root that a source is in, made on first use.

        Args:
            source: uploads, or a folder of a connection.
            managed_url: where the account's uploads lie.

        Raises:
            MissingError: there is no such connection.
            InvalidError: a link leads out of the connection.
        """
        if source.connection_id is None:
            return await self._made(managed_url, RootKind.MANAGED, None)
        connection = await self.connection(source.connection_id)
        url = await asyncio.to_thread(_url_below, connection, source.key)
        return await self._made(url, RootKind.CONNECTED, connection.id)

    async def connection(self, connection_id: str) -> Connection:
        """Return a connection of the account.

        Raises:
            MissingError: there is none.
        """
        query = select(CONNECTIONS).where(
            CONNECTIONS.c.id == connection_id, CONNECTIONS.c.user_id == self._account_id
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no connection {connection_id}")
        return connection_from(row)

    async def connection_of(self, root_id: str) -> Connection | None:
        """Return the connection that a root of the account is reached by."""
        query = (
            select(CONNECTIONS)
            .join(ROOTS, ROOTS.c.connection_id == CONNECTIONS.c.id)
            .where(ROOTS.c.id == root_id, CONNECTIONS.c.user_id == self._account_id)
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else connection_from(row)

    async def _made(self, url: str, kind: RootKind, connection_id: str | None) -> StorageRoot:
        mine = and_(ROOTS.c.user_id == self._account_id, ROOTS.c.url == url)
        values = {
            "user_id": self._account_id,
            "kind": kind.value,
            "url": url,
            "connection_id": connection_id,
        }
        await self._connection.execute(insert(ROOTS).values(values).on_conflict_do_nothing())
        if connection_id is not None:
            reached = update(ROOTS).where(
                mine, ROOTS.c.connection_id.is_distinct_from(connection_id)
            )
            await self._connection.execute(reached.values(connection_id=connection_id))
        row = (await self._connection.execute(select(ROOTS).where(mine))).mappings().one()
        return root_from(row)


def _url_below(connection: Connection, key: str) -> str:
    """The canonical URL of a folder of a connection.

    Raises:
        InvalidError: a link leads out of the connection.
    """
    root = connection.root_url
    if not key:
        return root
    if connection.type is ConnectionType.LOCAL:
        url = canonical_url(str(local_path(root) / key))
    else:
        url = canonical_url(f"{root}/{key}")
    if not url.startswith(f"{root}/"):
        raise InvalidError("the folder is a link that leads out of the connection")
    return url
