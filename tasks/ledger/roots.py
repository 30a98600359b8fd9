"""Storage roots, what was last indexed there, and the account of account-less use."""

from dataclasses import asdict

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from models.domain.errors import MissingError
from models.domain.storage_roots import RootKind, StorageRoot
from models.domain.table_refs import TableRef
from models.tables.accounts import LOCAL_ACCOUNT_ID, UserRow
from models.tables.base import table_of
from models.tables.mapping import root_from
from models.tables.roots import StorageRootRow
from tasks.ledger.database import Database

ROOTS = table_of(StorageRootRow)
USERS = table_of(UserRow)


class Roots(Database):
    """The part of the ledger that knows where files live."""

    def local_account(self) -> str:
        """Return the id of the account that everything without an account belongs to.

        It is made on first use, cannot sign in, and is counted in no figure.
        """
        with self._transaction() as connection:
            return self._local_account(connection)

    def root_for(
        self, url: str, *, kind: RootKind = RootKind.CONNECTED, account_id: str | None = None
    ) -> StorageRoot:
        """Return an account's root of a URL; made on first use.

        Args:
            url: canonical, as `storage.opening.canonical_url` gives it.
            kind: of a root that is made; one that exists keeps its kind.
            account_id: the local account unless given.

        Raises:
            ConflictError: there is no such account.
        """
        with self._transaction() as connection:
            account = account_id or self._local_account(connection)
            query = select(ROOTS).where(ROOTS.c.user_id == account, ROOTS.c.url == url)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                values = {"user_id": account, "kind": kind.value, "url": url}
                connection.execute(insert(ROOTS).values(values).on_conflict_do_nothing())
                row = connection.execute(query).mappings().one()
            return root_from(row)

    def root(self, root_id: str) -> StorageRoot:
        """Return a root.

        Raises:
            MissingError: there is no such root.
        """
        with self._transaction() as connection:
            query = select(ROOTS).where(ROOTS.c.id == root_id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise MissingError(f"there is no storage root {root_id}")
        return root_from(row)

    def roots(self, *, account_id: str | None = None) -> list[StorageRoot]:
        """Return all roots in the order they were made, of one account where given."""
        query = select(ROOTS).order_by(ROOTS.c.created_at, ROOTS.c.id)
        if account_id is not None:
            query = query.where(ROOTS.c.user_id == account_id)
        with self._transaction() as connection:
            return [root_from(row) for row in connection.execute(query).mappings()]

    def last_index(self, root_id: str) -> TableRef | None:
        """Return the newest complete fingerprint table of a root, or None before the first.

        Raises:
            MissingError: there is no such root.
        """
        query = select(ROOTS.c.last_index).where(ROOTS.c.id == root_id)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise MissingError(f"there is no storage root {root_id}")
        return None if row[0] is None else TableRef(**row[0])

    def last_index_job(self, root_id: str) -> str | None:
        """Return the job that told of a root last, whichever job read its files; None before.

        Raises:
            MissingError: there is no such root.
        """
        query = select(ROOTS.c.last_index_job_id).where(ROOTS.c.id == root_id)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise MissingError(f"there is no storage root {root_id}")
        return None if row[0] is None else str(row[0])

    def set_last_index(self, root_id: str, ref: TableRef, *, job_id: str) -> None:
        """Remember the newest complete fingerprint table of a root.

        Raises:
            MissingError: there is no such root.
        """
        values = {
            "last_index": asdict(ref),
            "last_index_job_id": job_id,
            "last_indexed_at": func.now(),
        }
        change = update(ROOTS).where(ROOTS.c.id == root_id).values(values)
        with self._transaction() as connection:
            if connection.execute(change).rowcount == 0:
                raise MissingError(f"there is no storage root {root_id}")

    @staticmethod
    def _local_account(connection: Connection) -> str:
        values = {
            "id": LOCAL_ACCOUNT_ID,
            "email": "local@localhost",
            "username": "local",
            "password_hash": "!",
            "subscription_tier": "enterprise",
            "storage_quota_gb": None,
            "is_verified": True,
            "is_system": True,
        }
        found = select(USERS.c.id).where(USERS.c.id == LOCAL_ACCOUNT_ID)
        if connection.execute(found).one_or_none() is None:
            connection.execute(insert(USERS).values(values).on_conflict_do_nothing())
        return LOCAL_ACCOUNT_ID
