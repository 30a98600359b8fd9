"""Bring a database to the current tables, and check that revisions and tables agree.

`python -m deploy.migrations check | upgrade URL | downgrade URL REVISION | revision MESSAGE`
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

import models.tables
from deploy.embedded.postgres import EmbeddedPostgres
from models.domain.errors import BrokenError, BusyError, FileOrganizerError, InvalidError
from models.tables.schema import COMPARISON, METADATA
from models.tables.tenancy import protect

SCRIPTS = Path(str(models.tables.__file__)).parent / "migrations"

LOCK = 0x46494C45
"""Advisory lock that makes upgrades of one database wait for each other ("FILE" in ASCII)."""

PARTITION_MONTHS = 13
"""Months of analytics that exist ahead after every upgrade, and so after every start."""

CONNECT_TIMEOUT_S = 10

EXPECTED = "expected_by_the_tables"
"""Schema that exists only inside the transaction of a comparison."""

CHECKS = """
SELECT c.relname || '.' || k.conname || ': ' || pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.contype = 'c' AND c.relnamespace = to_regnamespace(:schema) AND NOT c.relispartition
"""


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database to a revision, keep tenants apart, make the coming months of analytics.

    Nothing happens where it is there already; two at once wait for each other.

    Args:
        url: Postgres 15 or newer, `postgresql://...`.
        revision: the newest unless said.

    Raises:
        InvalidError: the URL or the revision makes no sense.
        BusyError: the server cannot be reached.
        BrokenError: a revision failed; the database is as it was.
    """
    with _locked(url) as connection:
        command.upgrade(_config(connection), revision)
        if revision == "head":
            connection.execute(
                text("SELECT ensure_analytics_partitions(current_date, :months)"),
                {"months": PARTITION_MONTHS},
            )
            protect(connection)


def downgrade(url: str, revision: str) -> None:
    """Take a database back to a revision, `base` for an empty one; data goes with its tables.

    Raises:
        InvalidError: the URL or the revision makes no sense.
        BusyError: the server cannot be reached.
        BrokenError: a revision failed; the database is as it was.
    """
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def differences(url: str) -> list[str]:
    """Return how a database differs from the tables, in words; empty when it does not.

    Alembic compares tables, columns, types, defaults, comments, keys and indexes; CHECKs, which
    it does not, are compared with those of tables made for the purpose and rolled back.

    Raises:
        BusyError: the server cannot be reached.
    """
    with _locked(url) as connection:
        context = MigrationContext.configure(connection, opts=COMPARISON)
        found = [str(change) for change in compare_metadata(context, METADATA)]
        savepoint = connection.begin_nested()
        connection.execute(text(f"CREATE SCHEMA {EXPECTED}"))
        METADATA.create_all(connection.execution_options(schema_translate_map={None: EXPECTED}))
        ours, expected = (_checks(connection, schema) for schema in ("public", EXPECTED))
        savepoint.rollback()
    found += [f"CHECK only in the database: {name}" for name in sorted(ours - expected)]
    found += [f"CHECK only in the tables: {name}" for name in sorted(expected - ours)]
    return found


def check() -> list[str]:
    """Return what is wrong with the revisions: up, down, up, then compared with the tables.

    Runs on a throw-away server. What a downgrade leaves behind is wrong, too.
    """
    with tempfile.TemporaryDirectory(prefix="fileorganizer-check-") as folder:
        Path(folder).chmod(0o711)  # Postgres' own user walks through when we are root
        server = EmbeddedPostgres(Path(folder) / "postgres", durable=False)
        url = server.start()
        try:
            upgrade(url)
            downgrade(url, "base")
            left = [f"left after downgrade: {name}" for name in _tables(url)]
            upgrade(url)
            return left + differences(url)
        finally:
            server.stop(mode="immediate")


def _tables(url: str) -> list[str]:
    """Names of the tables in a database, Alembic's own aside."""
    with _locked(url) as connection:
        names = sqlalchemy.inspect(connection).get_table_names()
    return sorted(set(names) - {"alembic_version"})


def _checks(connection: Connection, schema: str) -> set[str]:
    """CHECK constraints of a schema, as Postgres prints them."""
    return set(connection.execute(text(CHECKS), {"schema": schema}).scalars())


@contextmanager
def _locked(url: str) -> Generator[Connection]:
    """A transaction that holds the lock of upgrades; commits at the end."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "postgresql":
            raise InvalidError(f"this is no Postgres URL: {parsed.render_as_string()}")
        engine = sqlalchemy.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection
    except ArgumentError as error:
        raise InvalidError(f"this is no database URL: {error}") from error
    except CommandError as error:
        raise InvalidError(f"migrations: {error}") from error
    except (OperationalError, psycopg.OperationalError) as error:
        raise BusyError(
            f"Postgres does not answer ({error}); `fileorganizer up` starts the embedded one, "
            "FILEORGANIZER_DATABASE_URL names another"
        ) from error
    except (SQLAlchemyError, psycopg.Error) as error:
        raise BrokenError(f"a migration failed, nothing was changed: {error}") from error


def _config(connection: Connection) -> Config:
    """Alembic's configuration for one connection; there is no file to find or to edit."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(message: str) -> None:
    """Write a new revision from what the tables have and the newest revision has not."""
    with tempfile.TemporaryDirectory(prefix="fileorganizer-revision-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres", durable=False)
        url = server.start()
        try:
            with _locked(url) as connection:
                # Not `upgrade`: tables that no revision makes yet cannot be protected.
                command.upgrade(_config(connection), "head")
            with _locked(url) as connection:
                command.revision(_config(connection), message, autogenerate=True)
        finally:
            server.stop(mode="immediate")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when revisions and tables differ."""
    parser = argparse.ArgumentParser(prog="python -m deploy.migrations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="up, down, up on a throw-away server; then compare")
    commands.add_parser("upgrade", help="bring a database up to date").add_argument("url")
    down = commands.add_parser("downgrade", help="take a database back to a revision")
    down.add_argument("url")
    down.add_argument("revision")
    new = commands.add_parser("revision", help="write a new revision")
    new.add_argument("message")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        if asked.command == "check":
            wrong = check()
            sys.stdout.write("\n".join(wrong or ["migrations and tables agree"]) + "\n")
            return 1 if wrong else 0
        if asked.command == "upgrade":
            upgrade(asked.url)
        elif asked.command == "downgrade":
            downgrade(asked.url, asked.revision)
        else:
            _revision(asked.message)
    except FileOrganizerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
