"""Connections in the database."""

from sqlalchemy import Select, delete, desc, func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.shell.database import beyond_row_security
from models.domain.connections import Connection
from models.domain.errors import ConflictError, MissingError
from models.tables.base import table_of
from models.tables.jobs import OrganizationJobRow
from models.tables.mapping import connection_from
from models.tables.organizing import ConnectionRow
from models.tables.roots import StorageRootRow

CONNECTIONS = table_of(ConnectionRow)
JOBS = table_of(OrganizationJobRow)
ROOTS = table_of(StorageRootRow)
OPEN = ("pending", "running", "canceling")

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('connections of folders', 0))")
"""Two accounts that connect one folder at once do so one after the other."""


class Connections:
    """The connections of one account, in one transaction."""

    def __init__(self, connection: AsyncConnection, account_id: str) -> None:
        self._connection = connection
        self._account_id = account_id

    def of_account(self) -> Select[tuple[object, ...]]:
        """Return the statement that every read begins with."""
        return select(CONNECTIONS).where(CONNECTIONS.c.user_id == self._account_id)

    async def find(self, connection_id: str) -> Connection:
        """Return a connection.

        Raises:
            MissingError: there is none of this account.
        """
        query = self.of_account().where(CONNECTIONS.c.id == connection_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no connection {connection_id}")
        return connection_from(row)

    async def page(self, *, limit: int, offset: int) -> tuple[list[Connection], int]:
        """Return a page of the newest, and how many there are in all."""
        query = (
            self.of_account()
            .order_by(desc(CONNECTIONS.c.created_at), CONNECTIONS.c.id)
            .limit(limit)
            .offset(offset)
        )
        rows = (await self._connection.execute(query)).mappings().all()
        count = select(func.count()).select_from(self.of_account().subquery())
        total = (await self._connection.execute(count)).scalar_one()
        return [connection_from(row) for row in rows], int(total)

    async def add(self, connection: Connection) -> Connection:
        """Store a connection; `created_at` is the database's.

        Raises:
            ConflictError: the account has connected this root already.
        """
        values = {
            "id": connection.id,
            "user_id": self._account_id,
            "type": connection.type.value,
            "name": connection.name,
            "root_url": connection.root_url,
            "endpoint_url": connection.endpoint_url,
            "region": connection.region,
            "sealed_credentials": connection.sealed,
        }
        taken = self.of_account().where(CONNECTIONS.c.root_url == connection.root_url)
        if (await self._connection.execute(taken)).first() is not None:
            raise ConflictError("you have connected this root already")
        await self._connection.execute(insert(CONNECTIONS).values(values))
        return await self.find(connection.id)

    async def is_others(self, root_url: str) -> bool:
        """Return whether another account connected a folder, one in it or one around it.

        The one read here that looks beyond the account, for one bit: two accounts must not share
        files by connecting one folder.
        """
        await self._connection.execute(LOCK)
        column = CONNECTIONS.c.root_url
        query = select(func.count()).where(
            CONNECTIONS.c.user_id != self._account_id,
            or_(
                column == root_url,
                func.starts_with(column, f"{root_url}/"),
                func.starts_with(root_url, column + "/"),
            ),
        )
        async with beyond_row_security(self._connection):
            return bool((await self._connection.execute(query)).scalar_one())

    async def remove(self, connection_id: str) -> None:
        """Forget a connection and its keys; roots and what was done there stay known.

        Raises:
            MissingError: there is none of this account.
            ConflictError: a job that needs it is open.
        """
        await self.find(connection_id)
        roots = select(ROOTS.c.id).where(ROOTS.c.connection_id == connection_id)
        needing = select(func.count()).where(
            JOBS.c.user_id == self._account_id,
            JOBS.c.status.in_(OPEN),
            JOBS.c.submitted_at.is_not(None),
            JOBS.c.source_root_id.in_(roots),
        )
        if (await self._connection.execute(needing)).scalar_one():
            raise ConflictError("a job that needs this connection is open; cancel it first")
        change = delete(CONNECTIONS).where(
            CONNECTIONS.c.id == connection_id, CONNECTIONS.c.user_id == self._account_id
        )
        await self._connection.execute(change)
