"""What must exist in a server before the product connects: its role and its database."""

from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from models.tables.tenancy import TENANT_ROLE


@dataclass(frozen=True, slots=True)
class Server:
    """How the superuser reaches a server."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


def admin_connection(server: Server, database: str) -> "psycopg.Connection[Any]":
    """An autocommitting superuser's connection.

    Raises:
        psycopg.OperationalError: the server does not answer, or refuses.
    """
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=database,
        autocommit=True,
        connect_timeout=10,
    )


def make_database(server: Server, *, role: str, database: str) -> None:
    """Make the product's roles and database when missing.

    One role owns the database; the other, which it may take on, is what tenants are (its policies
    are made with the tables). Making roles takes a superuser.

    Args:
        server: The running server.
        role: Made as a plain role that may make databases; it shares the superuser's password.
        database: Made with `role` as its owner.
    """
    owner, name = sql.Identifier(role), sql.Identifier(database)
    with admin_connection(server, server.user) as admin:
        if not _has(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            with admin_connection(server, "template1") as template:
                # Of the extensions we want, pgvector alone may only be made by a superuser.
                template.execute("CREATE EXTENSION IF NOT EXISTS vector")
            secret = sql.Literal(server.password)
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(owner, secret)
            )
        tenant = sql.Identifier(TENANT_ROLE)
        if not _has(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", TENANT_ROLE):
            admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(tenant))
            admin.execute(sql.SQL("GRANT {} TO {}").format(tenant, owner))
        if not _has(admin, "SELECT 1 FROM pg_database WHERE datname = %s", database):
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))


def _has(connection: "psycopg.Connection[Any]", query: LiteralString, value: str) -> bool:
    """True if `query` with `value` finds a row."""
    return connection.execute(query, [value]).fetchone() is not None
