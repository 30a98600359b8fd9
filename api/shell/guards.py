"""Rings of the app that look at nothing but HTTP: headers, origins, sizes (DESIGN D13)."""

from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shell.problems import ProblemError, problem_response

SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""What every answer says unless its endpoint says something else (OWASP REST security cheat
sheet, security headers)."""

HSTS = "max-age=31536000; includeSubDomains"
"""Said over TLS only: a browser must not hear it elsewhere (RFC 6797, section 7.2)."""

ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Range"),
    *("Last-Event-ID", "X-Request-Id", "Tus-Resumable", "Upload-Length", "Upload-Offset"),
    *("Upload-Metadata", "Upload-Checksum"),
)
"""What pages of the origins that are let in may send."""

EXPOSED_HEADERS = (
    *("Location", "ETag", "Content-Range", "Content-Disposition", "X-Request-Id", "Retry-After"),
    *("RateLimit", "RateLimit-Policy", "Idempotency-Replayed", "Tus-Resumable", "Tus-Version"),
    *("Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Upload-Offset"),
    *("Upload-Length", "Upload-Expires"),
)
"""What they may read."""


class SecurityHeaders:
    """Adds the headers of `SECURITY` to every answer that does not carry them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Answers 413 to a body that is too large, whether its length was told or not.

    Args:
        app: what is within.
        most_bytes: the most.
        streamed: beginnings of paths whose endpoints measure their bodies themselves.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int, streamed: tuple[str, ...]) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(self._streamed):
            await self._app(scope, receive, send)
            return
        words = f"a body here has at most {self._most_bytes} bytes"
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdigit() or int(told) > self._most_bytes:
            problem = ProblemError(413, words)
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        seen = 0

        async def receive_some() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most_bytes:
                # Whoever reads the body lets this one error through; the app makes a problem of it.
                raise HTTPException(413, words)
            return message

        await self._app(scope, receive_some, send)
