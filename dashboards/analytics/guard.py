"""Who may see the dashboards: a pure ASGI guard over pages and sockets alike.

A guard that knows only `http` lets a client without a cookie have a live kernel over the WebSocket
(DESIGN D13), so everything but the lifespan passes through here. The address that is printed holds
a token that works once: whoever opens it first gets a cookie in exchange, and it leaves the address
bar, the history and the `Referer` with that.
"""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_BYTES = 32
"""Of tokens and cookies: 256 bits, the default of Python's `secrets`."""

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'self'"
)
"""Nothing is loaded from, or told to, another host. The page's own scripts are inline, and Vega
compiles expressions."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)

NO_COOKIE = (
    "This address has been opened already, or by somebody else. "
    "Run `fileorganizer dashboards` again: it prints a new one."
)
WRONG_HOST = "The dashboards answer under their own address only."

UNAUTHORIZED = 401
FORBIDDEN = 403
SEE_OTHER = 303
POLICY_VIOLATION = 1008
"""Close code of RFC 6455, section 7.4.1."""


class Guard:
    """An ASGI app in front of another, which lets in who has the cookie.

    Attributes:
        token: works once, as `?token=` in the address.
    """

    def __init__(self, app: App, *, host: str) -> None:
        self._app = app
        self._host = host
        self._cookie = secrets.token_urlsafe(TOKEN_BYTES)
        self.token: str | None = secrets.token_urlsafe(TOKEN_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self._is_own_address(headers):
            return await _refuse(scope, receive, send, FORBIDDEN, WRONG_HOST)
        if self._has_cookie(scope, headers):
            return await self._app(scope, receive, _with_headers(send))
        if scope["type"] == "http" and self._takes_token(scope):
            return await self._exchange(scope, send)
        return await _refuse(scope, receive, send, UNAUTHORIZED, NO_COOKIE)

    def _is_own_address(self, headers: dict[bytes, bytes]) -> bool:
        """Return whether a request names this server, and comes from its own pages if it says so.

        A foreign name that resolves to this machine (DNS rebinding) and a foreign page that opens a
        socket are refused, with a cookie or without.
        """
        host = headers.get(b"host", b"").decode("latin-1")
        name = urlsplit(f"//{host}").hostname or ""
        origin = headers.get(b"origin")
        is_same = origin is None or urlsplit(origin.decode("latin-1")).netloc == host
        return is_same and (name in {"localhost", self._host} or _is_address(name))

    def _cookie_name(self, scope: Scope) -> str:
        """Return the cookie's name, which tells servers on several ports of a host apart."""
        return f"fileorganizer_dashboards_{(scope.get('server') or ('', 0))[1]}"

    def _has_cookie(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        jar = SimpleCookie()
        try:
            jar.load(headers.get(b"cookie", b"").decode("latin-1"))
        except CookieError:
            return False
        morsel = jar.get(self._cookie_name(scope))
        return morsel is not None and _equal(morsel.value, self._cookie)

    def _takes_token(self, scope: Scope) -> bool:
        """Return whether the address holds the token, which then is used up."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self.token is None or not _equal(given, self.token):
            return False
        self.token = None
        return True

    async def _exchange(self, scope: Scope, send: Send) -> None:
        """Give the cookie for the token, at the address without it."""
        cookie = f"{self._cookie_name(scope)}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await _with_headers(send)(
            {"type": "http.response.start", "status": SEE_OTHER, "headers": headers}
        )
        await send({"type": "http.response.body", "body": b""})


def _equal(given: str, wanted: str) -> bool:
    """Compare in a time that does not tell where two texts differ."""
    return secrets.compare_digest(given.encode(), wanted.encode())


def _is_address(name: str) -> bool:
    """Return whether a host is an IP address; rebinding needs a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    """Return a sender that adds our headers to each answer in place of the app's own."""
    names = {name for name, _ in HEADERS}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    """Answer an error, or close a socket before it is open."""
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": text})
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await _with_headers(send)({"type": "http.response.start", "status": status, "headers": headers})
    return await send({"type": "http.response.body", "body": body})
