"""What the services of this room work with, besides a transaction."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from api.auth.passwords import Passwords, passwords_of
from api.shell.authentication import keys_of
from api.shell.client import Client, client_of
from api.shell.database import engine_of
from api.shell.secret_box import SecretBox, secret_box
from api.shell.tokens import TokenKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The app's keys, hasher and pool, and from where the request comes."""

    engine: AsyncEngine
    keys: TokenKeys
    passwords: Passwords
    box: SecretBox
    client: Client


def _box_of(request: Request) -> SecretBox:
    state = request.app.state
    if not hasattr(state, "secret_box"):
        state.secret_box = secret_box(state.settings)
    return cast("SecretBox", state.secret_box)


async def _means(request: Request) -> Means:
    return Means(
        engine=engine_of(request),
        keys=keys_of(request),
        passwords=passwords_of(request),
        box=_box_of(request),
        client=client_of(request),
    )


RequestMeans = Annotated[Means, Depends(_means)]
"""The means of this request."""
