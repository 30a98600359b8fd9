"""Hands jobs to Prefect, and mail to its server: `python -m api.runs.dispatcher`.

Wakes when something is written to the outbox (LISTEN) and every few seconds anyway. Any number of
dispatchers may run: each launch is taken by one of them, in one transaction with its result.
Ends at SIGTERM or SIGINT once the launch in hand is settled.
"""

import asyncio
import contextlib
import signal
import sys

import psycopg
import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from api.mail.sender import mail_sender
from api.runs.launcher import launch
from api.runs.ports import Launcher
from api.runs.repository import Claim, Outbox
from models.domain.errors import BrokenError, BusyError, FileOrganizerError, Kind
from models.settings import Settings

log = structlog.get_logger()

POLL_S = 2.0
"""How late a launch may be when a notification is lost; also how soon an expired lease is seen."""

MAX_DELAY_S = 60.0
"""Longest wait between attempts while Prefect is away; accepted jobs are never given up for that
(RELIABILITY P15)."""

MAX_REFUSALS = 5
"""Attempts at a launch that Prefect refuses, such as an unknown deployment: a deployment that is
being registered appears within their 30 seconds."""

MAX_RELAUNCHES = 5
RELAUNCH_DELAY_S = 5.0
"""A job that kills its workers is launched again after 5, 10, 20, 40 and 80 s, then it fails."""

CHANNEL = "outbox_events"


class Dispatcher:
    """The loop between the outbox and Prefect."""

    def __init__(
        self, database_url: str, *, api_url: str, launcher: Launcher, poll_s: float = POLL_S
    ) -> None:
        url = make_url(database_url)
        self._engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"), pool_size=2, pool_pre_ping=True
        )
        self._listen_url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._outbox = Outbox(self._engine)
        self._api_url = api_url
        self._launcher = launcher
        self._poll_s = poll_s
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until `stop` is set; a database that is away is waited for."""
        listener = asyncio.create_task(self._listen())
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    await self.relaunch()
                    await self.drain(stop)
                except FileOrganizerError as error:
                    log.warning("dispatcher.waiting", kind=error.kind, reason=str(error))
                woken = asyncio.create_task(self._woken.wait())
                await asyncio.wait(
                    {woken, stopped}, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED
                )
                woken.cancel()
        finally:
            for task in (listener, stopped):
                task.cancel()
            await asyncio.gather(listener, stopped, return_exceptions=True)
            await self._engine.dispose()

    async def drain(self, stop: asyncio.Event | None = None) -> int:
        """Send every launch that is due, one transaction each, and return how many were settled.

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

    async def relaunch(self) -> int:
        """Ask for new launches of jobs whose worker is gone, and return how many there were.

        Raises:
            BusyError: Postgres does not answer.
        """
        found = 0
        while job_id := await self._outbox.relaunch_one(
            limit=MAX_RELAUNCHES, first_delay_s=RELAUNCH_DELAY_S
        ):
            log.warning("job.orphaned", job_id=job_id)
            found += 1
        return found

    async def close(self) -> None:
        """Close the connections of a dispatcher that is not running."""
        await self._engine.dispose()

    async def _send(self, claim: Claim) -> None:
        """Start one flow run and settle its request, whatever comes of it."""
        request = claim.request
        if request.is_closed:
            await claim.dropped("the job ended before it was launched")
            return
        try:
            flow_run_id = await self._launcher(
                request.deployment,
                request.job_id,
                api_url=self._api_url,
                launch_no=request.launch_no,
            )
        except FileOrganizerError as error:
            await self._postpone(claim, error)
            return
        except Exception as error:  # noqa: BLE001 -- an edge: one odd launch must not stop all
            await self._postpone(claim, BrokenError(repr(error)))
            return
        await claim.sent(flow_run_id)
        log.info("job.launched", job_id=request.job_id, flow_run_id=flow_run_id)

    @staticmethod
    async def _postpone(claim: Claim, error: FileOrganizerError) -> None:
        """Decide when a launch that failed is tried again, if ever."""
        attempts = claim.request.attempts
        if error.kind is not Kind.BUSY and attempts + 1 >= MAX_REFUSALS:
            await claim.failed(f"it could not be launched: {error}")
            log.error("job.unlaunchable", job_id=claim.request.job_id, reason=str(error))
            return
        delay_s = min(2.0**attempts, MAX_DELAY_S)
        await claim.postponed(delay_s, str(error))
        log.warning("launch.postponed", job_id=claim.request.job_id, delay_s=delay_s)

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


async def serve(settings: Settings) -> None:
    """Dispatch jobs and send mail until SIGTERM or SIGINT.

    Raises:
        BusyError: no database is configured.
        InvalidError: the SMTP URL makes no sense.
    """
    if settings.database_url is None:
        raise BusyError("no database: `fileorganizer up`, or set FILEORGANIZER_DATABASE_URL")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database_url = settings.database_url.get_secret_value()
    mail = mail_sender(settings, database_url)
    dispatcher = Dispatcher(
        database_url,
        api_url=settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_port}/api",
        launcher=launch,
    )
    log.info("dispatcher.started")
    await asyncio.gather(dispatcher.run(stop), mail.run(stop))
    log.info("dispatcher.stopped")


def main() -> int:
    """Run the dispatcher; the exit status is that of STYLE's table of errors."""
    try:
        asyncio.run(serve(Settings()))
    except FileOrganizerError as error:
        sys.stderr.write(f"{error}\n")
        return 4 if error.kind is Kind.BUSY else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
