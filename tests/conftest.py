"""Fixtures of the whole suite: one real Postgres per test process, a fresh database per test."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy.embedded.postgres import EmbeddedPostgres

TEMPLATE = f"fileorganizer_template_{os.getpid()}"
WATCH = 'read _; kill -QUIT "$0" 2>/dev/null; rm -rf "$1"'


def _migrate(url: str) -> None:
    """Bring an empty database to the current tables."""
    if importlib.util.find_spec("deploy.migrations") is not None:
        from deploy.migrations import upgrade

        upgrade(url)


def _with_database(url: str, database: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _execute(url: str, statement: sql.Composable) -> None:
    """Run one statement outside a transaction, as for making databases."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


def _drop(url: str, name: str) -> None:
    """Drop a database and end its connections, once no autovacuum worker is in it.

    Only a superuser may end such a worker, and big tests leave one behind for some seconds.
    """
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    deadline = time.monotonic() + 120
    while True:
        try:
            return _execute(url, statement)
        except psycopg.errors.InsufficientPrivilege:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder the embedded Postgres' user can walk to, also when the tests run as root.

    pytest's own temporary folders are private (0700), and Postgres does not run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="fileorganizer-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(open_folder: Path) -> Iterator[str]:
    """URL of this process' Postgres: one per xdist worker, stopped with it even by `kill -9`.

    `FILEORGANIZER_TEST_POSTGRES_URL` names a server of yours instead, to try another version; its
    role may make databases and the extensions pg_trgm and citext.
    """
    if given := os.environ.get("FILEORGANIZER_TEST_POSTGRES_URL"):
        yield given
        return
    server = EmbeddedPostgres(open_folder / "postgres", durable=False)
    url = server.start()
    # The shell reads until the pipe closes, which the kernel does however we end.
    watchdog = subprocess.Popen(
        ["/bin/sh", "-c", WATCH, str(server.pid), str(open_folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    yield url
    server.stop(mode="immediate")
    assert watchdog.stdin is not None
    watchdog.stdin.close()
    watchdog.wait()


@pytest.fixture(scope="session")
def template_url(postgres_url: str) -> Iterator[str]:
    """A migrated, empty database that others are copied from; nobody connects to it."""
    _execute(postgres_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    url = _with_database(postgres_url, TEMPLATE)
    _migrate(url)
    yield url
    _drop(postgres_url, TEMPLATE)


@pytest.fixture
def database_url(postgres_url: str, template_url: str) -> Iterator[str]:
    """URL of a fresh, migrated database for one test (about 50 ms to make)."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    _execute(
        postgres_url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(TEMPLATE)
        ),
    )
    yield _with_database(postgres_url, name)
    _drop(postgres_url, name)
