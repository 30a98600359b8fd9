"""Socket.IO at `/socket.io`: `job:progress`, `job:complete`, `notification`."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from api.live.following import Following
from api.live.hub import Hub
from api.live.origins import OriginGuard, origins_of
from api.shell.database import account_transaction
from api.shell.principal import principal_from
from api.shell.problems import ProblemError, unauthenticated
from api.shell.repository import account_state
from api.shell.tokens import Claims, TokenKeys
from models.domain.errors import FileOrganizerError, InvalidError
from models.settings import Settings

PATH = "/socket.io"

CHECK_S = 60.0
"""How often it is asked whether the session of an open socket goes on."""

SOCKETS_MOST = 50
"""Open sockets of one account in one process."""

JOBS_MOST = 1000
"""Jobs of which a reader may say what it got last."""

MESSAGE_BYTES = 100_000
"""Most bytes of what a client sends at once."""

_log = structlog.get_logger("api.live")


class Sockets:
    """Everybody who is connected to this process.

    Args:
        engine: of the database.
        keys: check tokens.
        hub: tells what happens.
    """

    def __init__(self, engine: AsyncEngine, keys: TokenKeys, hub: Hub) -> None:
        from socketio import AsyncServer

        self._engine = engine
        self._keys = keys
        self._hub = hub
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._following: dict[str, asyncio.Future[Following]] = {}
        # The library is untyped; origins are the guard's business, so its own check is off.
        self.server: Any = AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=[],
            max_http_buffer_size=MESSAGE_BYTES,
            logger=False,
        )
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self.server.on("job:watch", self._watch)

    async def close(self) -> None:
        """End what is served."""
        serving = list(self._serving.values())
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self.server.shutdown()

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        """Let somebody in whose token counts, into the room of their account alone."""
        from socketio.exceptions import ConnectionRefusedError as Refused

        try:
            claims, last = await self._admit(environ, auth)
        except ProblemError as problem:
            raise Refused(problem.detail, {"status": problem.status}) from problem
        except FileOrganizerError as error:
            raise Refused(str(error), {"kind": error.kind.value}) from error
        await self.server.enter_room(sid, f"account:{claims.account_id}")
        # It reads from the database first, so the answer to this handshake goes out before.
        self._following[sid] = asyncio.get_running_loop().create_future()
        self._serving[sid] = asyncio.create_task(self._serve(sid, claims, last))

    async def _admit(
        self, environ: Mapping[str, Any], auth: object
    ) -> tuple[Claims, dict[str, int]]:
        """Who it is, and what they got last.

        Raises:
            ProblemError: 401, 429: they are not let in.
            FileOrganizerError: the handshake makes no sense, or the database does not answer.
        """
        token, last = _given(environ, auth)
        claims = self._keys.check(token)
        await self._require(claims)
        if self._hub.followers(claims.account_id) >= SOCKETS_MOST:
            raise ProblemError(429, "too many sockets of this account are open")
        return claims, last

    async def _disconnect(self, sid: str, _reason: object = None) -> None:
        self._forget(sid)  # also where serving never came to begin
        task = self._serving.pop(sid, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _forget(self, sid: str) -> None:
        following = self._following.pop(sid, None)
        if following is not None:
            following.cancel()

    async def _watch(self, sid: str, asked: object = None) -> dict[str, Any]:
        """Tell the events of a job from a number on: `{job_id, seq}`; answers `{error}` or `{}`."""
        try:
            job_id, seq = _watched(asked)
            # A client may ask before its place was taken; where it is gone meanwhile, this ends.
            following = await asyncio.shield(self._following[sid])
            await following.watch(job_id, seq)
        except FileOrganizerError as error:
            return {"error": str(error)}
        except (KeyError, asyncio.CancelledError):
            return {"error": "the connection is closed"}
        return {}

    async def _serve(self, sid: str, claims: Claims, last: Mapping[str, int]) -> None:
        """Send what happens until the token expires or the session ends."""
        try:
            with self._hub.subscribe(claims.account_id) as mailbox:
                following = Following(self._engine, mailbox, claims.account_id)
                await following.begin(last)
                self._following[sid].set_result(following)
                await self._send(sid, claims, following)
        except ProblemError:
            _log.info("live.expired")
        except FileOrganizerError as error:
            _log.warning("live.broken_off", kind=error.kind)
        except Exception:  # noqa: BLE001 -- an edge: whoever is left without news must notice
            _log.exception("live.broken")
        finally:
            self._forget(sid)
        await self.server.disconnect(sid)

    async def _send(self, sid: str, claims: Claims, following: Following) -> None:
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while (left_s := (claims.expires_at - datetime.now(UTC)).total_seconds()) > 0:
            for message in await following.news(min(left_s, CHECK_S)):
                await self.server.emit(message.name, message.data, to=sid)
            if loop.time() - checked_at >= CHECK_S:
                await self._require(claims)
                checked_at = loop.time()

    async def _require(self, claims: Claims) -> None:
        """Ask whether account and session go on.

        Raises:
            ProblemError: 401: they do not.
        """
        async with account_transaction(self._engine, claims.account_id) as connection:
            state = await account_state(connection, claims.account_id, claims.session_id)
        principal_from(state, claims)


def mount_sockets(app: FastAPI, settings: Settings, sockets: Sockets) -> None:
    """Serve sockets at `PATH`, behind the guard of origins."""
    from socketio import ASGIApp

    within: Any = ASGIApp(sockets.server, socketio_path=PATH)
    app.mount(PATH, OriginGuard(within, origins=origins_of(settings)))


def _given(environ: Mapping[str, Any], auth: object) -> tuple[str, dict[str, int]]:
    """Token and last numbers of a handshake: in its `auth`, the token also as a header.

    Raises:
        ProblemError: 401: there is no token.
        InvalidError: the numbers are none.
    """
    document: Mapping[Any, Any] = auth if isinstance(auth, dict) else {}
    scheme, _, bearer = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    token = document.get("token") or (bearer if scheme.lower() == "bearer" else "")
    if not isinstance(token, str) or not token:
        raise unauthenticated("a token is needed: auth {token} of the handshake")
    last: Any = document.get("last") or {}
    if not isinstance(last, dict) or len(last) > JOBS_MOST:
        raise InvalidError(f"`last` has the numbers of at most {JOBS_MOST} jobs by their ids")
    pairs = (_watched({"job_id": job_id, "seq": seq}) for job_id, seq in last.items())
    return token, dict(pairs)


def _watched(asked: object) -> tuple[str, int]:
    """Job and number out of `{job_id, seq}`.

    Raises:
        InvalidError: they are none.
    """
    match asked:
        case {"job_id": str(job_id), **rest}:
            seq = rest.get("seq", 0)
        case _:
            raise InvalidError("watching takes {job_id, seq}")
    try:
        found = str(UUID(job_id))
    except ValueError as error:
        raise InvalidError("job_id is no id") from error
    if not isinstance(seq, int) or not 0 <= seq < 2**63:
        raise InvalidError("seq is the number of an event, or 0")
    return found, seq
