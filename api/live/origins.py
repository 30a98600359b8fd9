"""Pages of which origins may reach what is mounted, over HTTP and over WebSockets (DESIGN D13).

CORS does not hold for WebSockets: a browser opens one for any page and only says whose it is.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.shell.problems import ProblemError, problem_response
from models.settings import Settings

POLICY_VIOLATED = 1008
"""RFC 6455, section 7.4.1; closed before it is accepted, the handshake is answered with 403."""


class OriginGuard:
    """Lets in what comes from no page at all, or from one of the origins.

    Args:
        app: what is guarded.
        origins: as browsers send them: scheme, host and port.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        given = Headers(scope=scope).getlist("origin")
        if all(origin.lower() in self._origins for origin in given):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATED})
        else:
            problem = ProblemError(403, "pages of this origin are not let in")
            await problem_response(Request(scope), problem)(scope, receive, send)


def origins_of(settings: Settings) -> tuple[str, ...]:
    """Return the origins that are let in: those of the settings, and that of the product itself."""
    url = urlsplit(settings.public_url)
    return (*settings.origins, f"{url.scheme}://{url.netloc}")
