"""`Idempotency-Key` on every POST: however often it comes, it takes effect once."""

import asyncio
import base64
import contextlib
import json
import re
from hashlib import sha256
from typing import Any
from uuid import uuid4

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shell.idempotency_store import LEASE_S, Claim, Found, IdempotencyStore
from api.shell.identification import claims_of, network_of
from api.shell.problems import ProblemError, problem_of, problem_response
from api.shell.secret_box import SecretBox
from models.domain.errors import FileOrganizerError

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)

WAIT_S = 30.0
"""How long a second request waits for the first one's answer."""
POLL_S = 0.05
ANSWER_MOST_BYTES = 1_000_000
"""A longer answer is not kept; asking again is then refused rather than done again."""
PASSING = frozenset({401, 408, 425, 429})
"""Answers that say nothing of the request itself: the key is free again after them, and after
every 5xx, as nothing was committed."""

LOST = "this was carried out before, and its answer is not there any more; look before asking anew"


class BodyHash:
    """A hash over a request that streams by; a form's boundary, new each time, does not count."""

    def __init__(self, scope: Scope) -> None:
        target = f"{scope['method']}\0{scope['path']}\0".encode() + scope["query_string"] + b"\0"
        self._hash = sha256(target)
        found = _BOUNDARY.search(Headers(scope=scope).get("content-type", ""))
        self._boundary = found.group(1).encode() if found else b""
        self._tail = b""
        self.is_complete = False

    def take(self, message: Message) -> None:
        """Take a part of the body."""
        if message["type"] != "http.request":
            return
        data = self._tail + message.get("body", b"")
        size = len(self._boundary)
        if size:
            data = data.replace(self._boundary, b"")
            self._tail = data[max(0, len(data) - size + 1) :]
            data = data[: len(data) - len(self._tail)]
        self._hash.update(data)
        if not message.get("more_body", False):
            self._hash.update(self._tail)
            self._tail = b""
            self.is_complete = True

    def hexdigest(self) -> str:
        """The hash of what was taken."""
        return self._hash.hexdigest()


class Idempotency:
    """Carries the first request of a key out, and gives its answer to the others."""

    def __init__(self, app: ASGIApp, *, engine: AsyncEngine, box: SecretBox) -> None:
        self._app = app
        self._store = IdempotencyStore(engine)
        self._box = box

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            claim = self._claim(scope, key)
            found = await self._take(claim)
            if found is None:
                await self._carry_out(claim, scope, receive, send)
                return
            answer = await self._replay(found, scope, receive)
        except ProblemError as problem:
            answer = problem_response(Request(scope), problem)
        except FileOrganizerError as error:
            answer = problem_response(Request(scope), problem_of(error))
        await answer(scope, receive, send)

    @staticmethod
    def _claim(scope: Scope, key: str) -> Claim:
        if not _KEY.match(key):
            raise ProblemError(422, "an Idempotency-Key has 1 to 255 visible ASCII characters")
        claims = claims_of(scope)
        caller = f"address:{network_of(scope)}" if claims is None else claims.account_id
        return Claim(
            key_hash=sha256(f"{caller}\0{key}".encode()).hexdigest(),
            claim=str(uuid4()),
            user_id=None if claims is None else claims.account_id,
        )

    async def _take(self, claim: Claim) -> Found | None:
        """Take the key, or wait for the answer of who has it."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            found = await self._store.take(claim)
            if found is None or found.answer is not None:
                return found
            if found.is_dead and found.has_effect:
                raise ProblemError(409, LOST, name="idempotency-answer-lost")
            if asyncio.get_running_loop().time() > deadline:
                raise ProblemError(
                    409,
                    "the first request with this Idempotency-Key still runs",
                    name="idempotency-in-flight",
                    headers={"Retry-After": "5"},
                )
            await asyncio.sleep(POLL_S)

    async def _replay(self, found: Found, scope: Scope, receive: Receive) -> Response:
        """The answer that was kept, if the request is the same."""
        body = BodyHash(scope)
        while not body.is_complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body.take(message)
        if body.hexdigest() != found.request_hash:
            words = "this Idempotency-Key came with another request before"
            raise ProblemError(422, words, name="idempotency-key-reused")
        kept: dict[str, Any] = json.loads(self._box.open(found.answer or b""))
        if kept["body"] is None:
            raise ProblemError(409, LOST, name="idempotency-answer-lost")
        answer = Response(base64.b64decode(kept["body"]), kept["status"])
        answer.raw_headers = [
            (n.encode("latin-1"), v.encode("latin-1")) for n, v in kept["headers"]
        ]
        answer.headers["Idempotency-Replayed"] = "true"
        return answer

    async def _carry_out(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and keep what it says before the last of it goes out."""
        scope["state"]["idempotency"] = claim
        body, said, is_kept = BodyHash(scope), _Said(), False

        async def receive_hashing() -> Message:
            message = await receive()
            body.take(message)
            return message

        async def send_keeping(message: Message) -> None:
            nonlocal is_kept
            said.take(message)
            if said.is_complete and not is_kept and said.is_final:
                while not body.is_complete and (await receive_hashing())["type"] == "http.request":
                    pass
                sealed = self._box.seal(said.document())
                await self._store.finish(claim, request_hash=body.hexdigest(), answer=sealed)
                is_kept = True
            await send(message)

        renewing = asyncio.create_task(self._renew(claim))
        try:
            await self._app(scope, receive_hashing, send_keeping)
        finally:
            renewing.cancel()
            if not is_kept:
                await self._store.release(claim, is_refused=said.is_refused)

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with contextlib.suppress(FileOrganizerError):
                await self._store.renew(claim)


class _Said:
    """An answer as it goes by."""

    def __init__(self) -> None:
        self.is_complete = False
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._body: bytes | None = b""

    @property
    def is_final(self) -> bool:
        """Whether the same request would be answered the same way again."""
        return self._status < 500 and self._status not in PASSING  # noqa: PLR2004 -- 5xx

    @property
    def is_refused(self) -> bool:
        """Whether the request was turned away before it counted."""
        return self._status in PASSING

    def take(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            self._headers = [
                (n.decode("latin-1"), v.decode("latin-1")) for n, v in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            more = message.get("body", b"")
            if self._body is not None:
                fits = len(self._body) + len(more) <= ANSWER_MOST_BYTES
                self._body = self._body + more if fits else None
            self.is_complete = not message.get("more_body", False)

    def document(self) -> bytes:
        """What is kept of it."""
        body = None if self._body is None else base64.b64encode(self._body).decode()
        kept = {"status": self._status, "headers": self._headers, "body": body}
        return json.dumps(kept).encode()
