"""The ledger as its users see it."""

from types import TracebackType
from typing import Self

from models.domain.errors import BusyError
from models.settings import Settings
from tasks.ledger.catalog import Catalog
from tasks.ledger.connections import Connections
from tasks.ledger.daily import Daily
from tasks.ledger.decisions import Decided
from tasks.ledger.duplicates import Duplicates
from tasks.ledger.journal import Journal
from tasks.ledger.labels import Labels
from tasks.ledger.leases import Leases
from tasks.ledger.plans import Plans
from tasks.ledger.search_index import SearchIndex
from tasks.ledger.shards import Shards
from tasks.ledger.sweeps import Sweeps
from tasks.ledger.tags import Tags
from tasks.ledger.texts import Texts
from tasks.ledger.uploads import Uploads
from tasks.ledger.vectors import Vectors


class Ledger(
    Plans,
    Leases,
    Journal,
    Catalog,
    Duplicates,
    Decided,
    Tags,
    Labels,
    Daily,
    Texts,
    SearchIndex,
    Vectors,
    Sweeps,
    Shards,
    Uploads,
    Connections,
):
    """Jobs, plans, journal, events, roots, catalog, duplicates and decisions of one database.

    Every method is one transaction and may be called from any thread; connections come from this
    process' pool. Every method raises BusyError when Postgres does not answer or is occupied
    (trying again may help) and BrokenError when its tables are not up to date.

    Args:
        database_url: Postgres 15 or newer, `postgresql://user:password@host/name`.

    Raises:
        InvalidError: this is no Postgres URL.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave; the process' pool stays for the next one."""


def open_ledger(settings: Settings) -> Ledger:
    """Return the ledger of the configured database.

    Raises:
        BusyError: no database is configured or running.
        InvalidError: the URL is no Postgres URL.
    """
    if settings.database_url is None:
        raise BusyError(
            "no database: `fileorganizer up` starts the embedded Postgres, "
            "FILEORGANIZER_DATABASE_URL names another"
        )
    return Ledger(settings.database_url.get_secret_value())
