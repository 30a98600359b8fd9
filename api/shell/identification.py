"""Reads the bearer token once for each request, before everything that depends on who asks."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.shell.problems import ProblemError
from api.shell.tokens import Claims, TokenKeys

SCHEME = "bearer "


class Identification:
    """Puts what the token says into the request's state, for the rings further in.

    `state["identity"]` is the claims of a token that counts, the problem of one that does not, or
    None without one. Nobody is turned away here: that is the endpoint's business.
    """

    def __init__(self, app: ASGIApp, *, keys: TokenKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] in ("http", "websocket"):
            scope.setdefault("state", {})["identity"] = self._identity(scope)
        await self._app(scope, receive, send)

    def _identity(self, scope: Scope) -> Claims | ProblemError | None:
        given = Headers(scope=scope).get("authorization", "")
        if given[: len(SCHEME)].lower() != SCHEME:
            return None
        try:
            return self._keys.check(given[len(SCHEME) :].strip())
        except ProblemError as problem:
            return problem


def claims_of(scope: Scope) -> Claims | None:
    """The claims of the request's token, if it has one that counts."""
    found = identity_of(scope)
    return found if isinstance(found, Claims) else None


def identity_of(scope: Scope) -> Claims | ProblemError | None:
    """What `Identification` found."""
    return cast("Claims | ProblemError | None", scope["state"].get("identity"))


def network_of(scope: Scope) -> str:
    """The caller's address, of IPv6 its /64: one household or machine has all of it."""
    client = scope.get("client")
    if client is None:
        return "unknown"
    try:
        address = ip_address(client[0])
    except ValueError:
        return str(client[0])
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
