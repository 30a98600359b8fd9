"""One pool of connections for each process and database."""

import atexit
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url

from models.domain.errors import InvalidError
from models.tables.translation import translated

CONNECT_TIMEOUT_S = 10
POOL_SIZE = 4
POOL_OVERFLOW = 12
"""A task's threads share the process' pool; the embedded server has 100 connections in all."""
POOL_TIMEOUT_S = 30


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
