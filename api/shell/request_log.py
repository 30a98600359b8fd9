"""The outermost ring: a request id, one line of log, and no error that gets away."""

import re
import time
from secrets import token_hex
from typing import Any

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shell.problems import HIDDEN, ProblemError, problem_response

ID_HEADER = "X-Request-Id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
"""Ids that callers may choose themselves: nothing that could forge a line of log."""

_log = structlog.get_logger("api.access")


class RequestLog:
    """Gives each request an id and logs its method, route, status and time: nothing of people.

    The route is the pattern, `/v1/files/{file_id}`; paths, queries, addresses and agents are not
    written.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(ID_HEADER, "")
        request_id = given if _GIVEN_ID.match(given) else token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        seen: dict[str, Any] = {"status": 500, "is_started": False}
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.update(status=int(message["status"]), is_started=True)
                MutableHeaders(scope=message)[ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                _log.exception("request.broken", route=route_of(scope))
                if seen["is_started"]:
                    raise  # the answer is cut off: the server closes the connection
                problem = ProblemError(500, HIDDEN, name="broken")
                response = problem_response(Request(scope), problem)
                await response(scope, receive, send_with_id)
            finally:
                _log.info(
                    "request.served",
                    method=scope["method"],
                    route=route_of(scope),
                    status=seen["status"],
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                )


def route_of(scope: Scope) -> str:
    """The pattern that a request's path matched; `none` for a path that is not ours."""
    context = scope.get("fastapi", {}).get("effective_route_context")  # with the routers' prefixes
    found = context or scope.get("route")
    return str(getattr(found, "path", "none"))
