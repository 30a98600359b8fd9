"""The one connection of an API process on which Postgres says what happened."""

import asyncio
from collections import OrderedDict
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.live.hub import Hub
from api.live.messages import of_event, of_notice
from api.live.repository import UNTOLD, told_event, told_notice
from api.shell.database import system_transaction
from models.domain.errors import FileOrganizerError

EVENTS = "job_events"
NOTICES = "notifications"

AGAIN_S = 1.0
"""Pause before the next connection after one broke."""

ALIVE_S = 20.0
"""How long a silent connection is trusted before it is asked whether it lives."""

OWNERS_MOST = 10_000
"""Jobs whose account is remembered, so that those of nobody here cost no query."""

_log = structlog.get_logger("api.live")


class Listening:
    """Hears what Postgres notifies of and hands it to the hub.

    Notifications are hints only: what one follows by number is read again wherever one was lost,
    and after each new connection everybody reads again.
    """

    def __init__(self, engine: AsyncEngine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        url = engine.url.set(drivername="postgresql")
        self._url = url.render_as_string(hide_password=False)
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def run(self) -> None:
        """Listen until canceled; a database that is away is waited for."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("live.deaf", reason=type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=10, application_name="fileorganizer-live"
        )
        async with connection:
            await connection.execute(f"LISTEN {EVENTS}")
            await connection.execute(f"LISTEN {NOTICES}")
            self._hub.mark_stale()
            while True:
                async for told in connection.notifies(timeout=ALIVE_S):
                    await self._hear(told.channel, told.payload)
                async with asyncio.timeout(ALIVE_S):
                    await connection.execute("SELECT 1")

    async def _hear(self, channel: str, payload: str) -> None:
        if self._hub.is_empty():
            return
        subject, _, number = payload.partition(":")
        try:
            if channel == EVENTS:
                await self._event(str(UUID(subject)), int(number))
            else:
                await self._notice(str(UUID(subject)), str(UUID(number)))
        except (FileOrganizerError, ValueError) as error:
            _log.warning("live.unread", channel=channel, reason=type(error).__name__)
            self._hub.mark_stale()

    async def _event(self, job_id: str, seq: int) -> None:
        owner = self._owners.get(job_id)
        if owner is not None and not self._hub.is_followed(owner):
            return
        async with system_transaction(self._engine) as connection:
            found = await told_event(connection, job_id, seq)
        if found is None:
            return
        owner, kind, event = found
        self._owners[job_id] = owner
        if len(self._owners) > OWNERS_MOST:
            self._owners.popitem(last=False)
        self._hub.put(owner, of_event(event, is_asked_for=kind not in UNTOLD))

    async def _notice(self, account_id: str, notice_id: str) -> None:
        if not self._hub.is_followed(account_id):
            return
        async with system_transaction(self._engine) as connection:
            notice = await told_notice(connection, account_id, notice_id)
        if notice is not None:
            self._hub.put(account_id, of_notice(notice))
