"""From where a request comes, for sessions and the audit log."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

AGENT_MOST = 400
"""Characters kept of a `User-Agent`; browsers send about 150."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The other end of a request; either may be unknown.

    Attributes:
        ip: its address. Behind a proxy it is the proxy's unless uvicorn is told to trust that
            (`--forwarded-allow-ips`).
        user_agent: what it says it is, cut and without control characters.
    """

    ip: str | None = None
    user_agent: str | None = None


def client_of(request: Request) -> Client:
    """Return from where a request comes."""
    given = request.headers.get("User-Agent", "")
    said = "".join(letter for letter in given if letter.isprintable())
    return Client(ip=_address(request), user_agent=said[:AGENT_MOST] or None)


def _address(request: Request) -> str | None:
    try:
        return str(ipaddress.ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None  # a socket file, or a test's client


async def _client(request: Request) -> Client:
    return client_of(request)


RequestClient = Annotated[Client, Depends(_client)]
"""From where the request comes."""
