"""How the roots of a job are reached: by the environment's keys, or by those of a connection."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from sqlalchemy import select

from models.domain.connections import Connection
from models.domain.errors import ForbiddenError
from models.domain.storage_roots import RootKind, StorageRoot
from models.settings import Settings
from models.tables.accounts import LOCAL_ACCOUNT_ID
from models.tables.base import table_of
from models.tables.mapping import connection_from
from models.tables.organizing import ConnectionRow
from models.tables.roots import StorageRootRow
from storage.access import S3Access, access_to
from storage.endpoints import check_folder
from storage.reaching import way_in
from tasks.ledger.roots import Roots

CONNECTIONS = table_of(ConnectionRow)
ROOTS = table_of(StorageRootRow)


class Connections(Roots):
    """The part of the ledger that knows what accounts connected."""

    def connection_of(self, root_id: str) -> Connection | None:
        """Return the connection that a root is reached by, or None."""
        query = (
            select(CONNECTIONS)
            .join(ROOTS, ROOTS.c.connection_id == CONNECTIONS.c.id)
            .where(ROOTS.c.id == root_id)
        )
        with self._transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else connection_from(row)


def is_operators(root: StorageRoot) -> bool:
    """Return whether a root is the operator's own: uploads, or a folder of the command line."""
    return root.kind is RootKind.MANAGED or root.account_id == LOCAL_ACCOUNT_ID


@contextmanager
def reached(settings: Settings, ledger: Connections, root_ids: Iterable[str]) -> Generator[None]:
    """Let the stores of some roots be opened inside, each with the keys of its connection.

    Raises:
        ForbiddenError: the connection was removed, or leads where it may not.
        MissingError: there is no such root.
    """
    found: dict[str, S3Access] = {}
    for root in {ledger.root(root_id) for root_id in root_ids}:
        connection = ledger.connection_of(root.id)
        if connection is None:
            if not is_operators(root):
                raise ForbiddenError("the connection that this job needs was removed")
            continue
        access = way_in(settings, connection)
        if access is not None:
            found[root.url] = access
        else:
            check_folder(root.url, allowed=settings.allowed_folders)
    with access_to(found):
        yield
