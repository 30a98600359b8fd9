"""Foreign errors of the driver and of SQLAlchemy made ours, where they enter."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    FileOrganizerError,
    InvalidError,
)

KINDS: tuple[tuple[tuple[type[Exception], ...], type[FileOrganizerError], str], ...] = (
    (
        (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction),
        BrokenError,
        (
            "the database is not up to date ({}); `fileorganizer up` upgrades the embedded one, "
            "`python -m deploy.migrations upgrade URL` any other"
        ),
    ),
    ((pg.DiskFull,), BrokenError, "Postgres' disk is full: {}"),
    (
        (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable, pg.QueryCanceled),
        BusyError,
        "Postgres is occupied: {}",
    ),
    (
        (pg.OperationalError, pg.InterfaceError),
        BusyError,
        (
            "Postgres does not answer: {}. `fileorganizer up` starts the embedded one; "
            "FILEORGANIZER_DATABASE_URL names another; `fileorganizer doctor` says more"
        ),
    ),
    ((pg.IntegrityError, pg.CardinalityViolation), ConflictError, "the ledger refuses this: {}"),
    ((pg.DataError,), InvalidError, "the ledger cannot store this: {}"),
)
"""Foreign errors, the special before the general: what they become, and what to do about them."""


def _our_error(error: Exception) -> FileOrganizerError:
    """Return the error of our tree that a foreign one stands for."""
    if isinstance(error, PoolTimeoutError):
        return BusyError("all of this process' connections to Postgres are in use")
    inner = getattr(error, "orig", None) or error
    said = next(iter(str(inner).strip().splitlines()), repr(inner))
    for foreign, ours, words in KINDS:
        if isinstance(inner, foreign):
            return ours(words.format(said))
    return BrokenError(f"the ledger failed: {said}")


@contextmanager
def translated() -> Generator[None]:
    """Turn errors of the driver and of SQLAlchemy into ours.

    Raises:
        BusyError: no connection, deadlock, serialization failure, shutdown: try again.
        ConflictError: a constraint or a rule of the database refuses the change.
        InvalidError: a value that a column cannot hold, or no Postgres URL.
        BrokenError: anything else, such as tables that are not up to date.
    """
    try:
        yield
    except ArgumentError as error:
        raise InvalidError(f"this is no Postgres URL: {error}") from error
    except (DBAPIError, psycopg.Error, SQLAlchemyError) as error:
        raise _our_error(error) from error
