"""One transaction for each request, bound to the account that asks."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from api.shell.authentication import Authenticated
from api.shell.idempotency_store import Claim, mark_effect
from models.domain.errors import BusyError, InvalidError
from models.settings import Settings
from models.tables.tenancy import BIND, CURRENT, UNBIND
from models.tables.translation import translated

CONNECT_TIMEOUT_S = 10
POOL_TIMEOUT_S = 10
"""A request that gets no connection for this long answers 503."""


def make_engine(settings: Settings) -> AsyncEngine:
    """Return the pool of connections of this process.

    Raises:
        BusyError: no database is configured.
        InvalidError: the URL is not one of Postgres.
    """
    if settings.database_url is None:
        raise BusyError("no database: `fileorganizer up`, or set FILEORGANIZER_DATABASE_URL")
    with translated():
        url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise InvalidError(f"the API needs Postgres, and this URL names {url.get_backend_name()}")
    return create_async_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.api_connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "fileorganizer-api",
        },
    )


@asynccontextmanager
async def account_transaction(
    engine: AsyncEngine, account_id: str
) -> AsyncGenerator[AsyncConnection]:
    """One transaction in which only the rows of one account exist.

    Commits at the end, rolls back by any error. For edges that are no requests, such as sockets.

    Raises:
        FileOrganizerError: what the database's errors become (`models.tables.translation`).
    """
    with translated():
        async with engine.begin() as connection:
            await connection.execute(BIND, {"account_id": account_id})
            yield connection


@asynccontextmanager
async def system_transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """One transaction that sees all accounts: signing in, sweeps. Never for tenants' reads."""
    with translated():
        async with engine.begin() as connection:
            yield connection


@asynccontextmanager
async def beyond_row_security(connection: AsyncConnection) -> AsyncGenerator[None]:
    """Let the statements inside see all accounts, in a tenant's transaction that is open.

    Only for reads that `of_account()` confines and that must use an index whose operators Postgres
    does not trust below a policy (full text, trigrams, arrays: they are not "leakproof", so a
    policy makes them filters). Each use says why.
    """
    account_id = (await connection.execute(CURRENT)).scalar_one()
    await connection.execute(UNBIND)
    yield
    # After an error the transaction is at its end, and takes no statement.
    await connection.execute(BIND, {"account_id": account_id})


def engine_of(request: Request) -> AsyncEngine:
    """The app's pool."""
    return cast("AsyncEngine", request.app.state.engine)


async def _transaction(request: Request, claims: Authenticated) -> AsyncGenerator[Any]:
    async with account_transaction(engine_of(request), claims.account_id) as connection:
        yield connection
        await _mark(request, connection)


async def _system_transaction(request: Request) -> AsyncGenerator[Any]:
    async with system_transaction(engine_of(request)) as connection:
        yield connection
        await _mark(request, connection)


async def _mark(request: Request, connection: AsyncConnection) -> None:
    """Commit with the effect that it happened, if the request has an Idempotency-Key."""
    claim: Claim | None = request.scope.get("state", {}).get("idempotency")
    if claim is not None:
        await mark_effect(connection, claim)


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""The request's transaction: committed when the endpoint has returned and before the answer goes
out, rolled back by any error. It needs a token: without one the answer is 401."""

SystemTransaction = Annotated[AsyncConnection, Depends(_system_transaction, scope="function")]
"""The same without an account, for endpoints that nobody has signed in for: it sees everyone."""
