"""Sends what waits in the outbox of mail; runs in the dispatcher's process."""

import asyncio
import contextlib
from datetime import UTC, datetime

import psycopg
import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from api.mail.outbox import MailClaim, MailOutbox
from api.mail.rendering import rendered
from api.mail.transport import Transport, transport_of
from models.domain.errors import BrokenError, FileOrganizerError, Kind
from models.settings import Settings

log = structlog.get_logger()

POLL_S = 5.0
"""How late a mail may be when its notification is lost."""

FIRST_DELAY_S = 5.0
MAX_DELAY_S = 1800.0
"""Between attempts: 5, 10, 20 s ... half an hour (RFC 5321 4.5.4.1 advises that)."""

CHANNEL = "outgoing_mails"


class MailSender:
    """The loop between the outbox of mail and the server."""

    def __init__(
        self,
        database_url: str,
        *,
        transport: Transport,
        sender: str,
        public_url: str,
        poll_s: float = POLL_S,
    ) -> None:
        url = make_url(database_url)
        self._engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"), pool_size=1, pool_pre_ping=True
        )
        self._listen_url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._outbox = MailOutbox(self._engine)
        self._transport = transport
        self._sender = sender
        self._public_url = public_url
        self._poll_s = poll_s
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; a database that is away is waited for."""
        log.info("mail.started", transport=self._transport.name)
        listener = asyncio.create_task(self._listen())
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    await self.drain(stop)
                except FileOrganizerError as error:
                    log.warning("mail.waiting", kind=error.kind, reason=str(error))
                except Exception:
                    # An edge: launches go on beside it.
                    log.exception("mail.broken")
                woken = asyncio.create_task(self._woken.wait())
                await asyncio.wait(
                    {woken, stopped}, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED
                )
                woken.cancel()
        finally:
            for task in (listener, stopped):
                task.cancel()
            await asyncio.gather(listener, stopped, return_exceptions=True)
            await self.close()

    async def drain(self, stop: asyncio.Event | None = None) -> int:
        """Send every mail that is due, one transaction each; return how many were settled.

        Raises:
            BusyError: Postgres does not answer.
        """
        settled = 0
        while stop is None or not stop.is_set():
            async with self._outbox.claim() as claim:
                if claim is None:
                    break
                await self._send(claim)
            settled += 1
        return settled

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    async def _send(self, claim: MailClaim) -> None:
        """Send one mail and settle it, whatever comes of it."""
        mail = claim.due.mail
        try:
            message = rendered(
                mail,
                sender=self._sender,
                public_url=self._public_url,
                now=datetime.now(UTC),
            )
            await self._transport.send(message)
        except FileOrganizerError as error:
            await self._postpone(claim, error)
        except Exception as error:  # noqa: BLE001 -- an edge: one odd mail must not stop all
            await self._postpone(claim, BrokenError(repr(error)))
        else:
            await claim.sent()
            log.info("mail.sent", mail_id=mail.id, template=mail.template)

    @staticmethod
    async def _postpone(claim: MailClaim, error: FileOrganizerError) -> None:
        """Decide when a mail that was not taken is tried again, if ever."""
        mail = claim.due.mail
        if error.kind is Kind.INVALID or claim.due.is_last:
            await claim.failed(str(error))
            log.error("mail.given_up", mail_id=mail.id, template=mail.template, reason=str(error))
            return
        delay_s = min(FIRST_DELAY_S * 2.0**claim.due.attempts, MAX_DELAY_S)
        await claim.postponed(delay_s, str(error))
        log.warning("mail.postponed", mail_id=mail.id, delay_s=delay_s, reason=str(error))

    async def _listen(self) -> None:
        """Wake the loop at every notification; connect again when the connection breaks."""
        while True:
            with contextlib.suppress(psycopg.Error):
                connection = await psycopg.AsyncConnection.connect(
                    self._listen_url, autocommit=True, connect_timeout=10
                )
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._woken.set()
                    async for _ in connection.notifies():
                        self._woken.set()
            await asyncio.sleep(self._poll_s)


def mail_sender(settings: Settings, database_url: str) -> MailSender:
    """Return the sender that the settings describe.

    Raises:
        InvalidError: the SMTP URL makes no sense.
    """
    return MailSender(
        database_url,
        transport=transport_of(settings),
        sender=settings.mail_from,
        public_url=settings.public_url,
    )
