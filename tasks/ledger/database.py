"""One pool of connections for each process and database, and foreign errors made ours."""

import atexit
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy
from psycopg import errors as pg
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    FileOrganizerError,
    InvalidError,
)

CONNECT_TIMEOUT_S = 10
POOL_SIZE = 4
POOL_OVERFLOW = 12
"""A task's threads share the process' pool; the embedded server has 100 connections in all."""
POOL_TIMEOUT_S = 30

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
    ((pg.IntegrityError,), ConflictError, "the ledger refuses this: {}"),
    ((pg.DataError,), InvalidError, "the ledger cannot store this: {}"),
)
"""Foreign errors, the special before the general: what they become, and what to do about them."""


def _our_error(error: Exception) -> FileOrganizerError:
    """Return the error of our tree that a foreign one stands for."""
    if isinstance(error, PoolTimeoutError):
        return BusyError(f"all {POOL_SIZE + POOL_OVERFLOW} connections to Postgres are in use")
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


@lru_cache(maxsize=16)
def _engine(url: str, _process: int) -> Engine:
    """The pool for one database in one process; a forked child makes its own."""
    return sqlalchemy.create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "fileorganizer"},
    )


_opened: dict[tuple[str, int], Engine] = {}


def engine_for(url: str) -> Engine:
    """Return this process' pool for a database.

    Raises:
        InvalidError: this is no Postgres URL.
    """
    with translated():
        backend = make_url(url).get_backend_name()
    if backend != "postgresql":
        raise InvalidError(f"the ledger needs Postgres, and this URL names {backend}")
    key = (url, os.getpid())
    engine = _opened[key] = _engine(*key)
    return engine


def close_pools() -> None:
    """Close this process' idle connections; open ledgers make new ones when they need them."""
    for (_url, process), engine in list(_opened.items()):
        if process == os.getpid():
            engine.dispose()


atexit.register(close_pools)


class Database:
    """What every part of the ledger stands on."""

    def __init__(self, database_url: str) -> None:
        self._engine = engine_for(database_url)

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        """One transaction: committed at the end, rolled back by any error."""
        with translated(), self._engine.begin() as connection:
            yield connection

    @staticmethod
    def _driver(connection: Connection) -> "psycopg.Connection[Any]":
        """The driver's connection below a transaction, for COPY and arrays."""
        return connection.connection.driver_connection  # pyright: ignore[reportReturnType]
