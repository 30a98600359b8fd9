"""Times of answers for the KPIs: counted in memory, written as one event a minute."""

import asyncio
import contextlib
import time

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shell.database import system_transaction
from api.shell.events import record
from models.domain.errors import FileOrganizerError
from models.domain.latencies import EVENT, Latencies

EVERY_S = 60.0
PREFIX = "/v1/"
ERRORS_FROM = 500

_log = structlog.get_logger("api")


class LatencyCount:
    """Counts the time from a request's arrival to the beginning of its answer.

    Args:
        app: what is inside.
        counted: where.
    """

    def __init__(self, app: ASGIApp, *, counted: Latencies) -> None:
        self._app = app
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                is_error = message["status"] >= ERRORS_FROM
                self._counted.add((time.perf_counter() - started) * 1000, is_error=is_error)
            await send(message)

        await self._app(scope, receive, counting)


async def write(engine: AsyncEngine, counted: Latencies) -> None:
    """Write what was counted since; it is lost where Postgres is away."""
    data = counted.take()
    if data is None:
        return
    try:
        async with system_transaction(engine) as connection:
            await record(connection, None, EVENT, data)
    except FileOrganizerError:
        _log.warning("latencies.lost", requests=data["requests"])


async def keep_writing(engine: AsyncEngine, counted: Latencies) -> None:
    """Write every minute, and once more when it is canceled."""
    try:
        while True:
            await asyncio.sleep(EVERY_S)
            await write(engine, counted)
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await write(engine, counted)
