"""Who asks, as far as the token alone says it."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.shell.identification import identity_of
from api.shell.problems import ProblemError, unauthenticated
from api.shell.tokens import Claims, TokenKeys

_bearer = HTTPBearer(
    scheme_name="bearer",
    auto_error=False,
    bearerFormat="JWT",
    description="The access token of POST /v1/auth/login.",
)


def keys_of(request: Request) -> TokenKeys:
    """The app's token keys."""
    return cast("TokenKeys", request.app.state.token_keys)


async def _authenticated(
    request: Request, _given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims:
    """The checked claims of the request's bearer token.

    Raises:
        ProblemError: 401, with what RFC 6750 wants said.
    """
    found = identity_of(request.scope)
    if found is None:
        raise unauthenticated("a bearer token is needed: POST /v1/auth/login gives one")
    if isinstance(found, ProblemError):
        raise found
    return found


async def optional_claims(
    request: Request, _given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims | None:
    """The checked claims of the request's bearer token; None without one.

    Raises:
        ProblemError: 401: there is one, and it does not count.
    """
    found = identity_of(request.scope)
    if isinstance(found, ProblemError):
        raise found
    return found


Authenticated = Annotated[Claims, Depends(_authenticated)]
"""Claims of a token that counts; nothing was asked of the database yet."""
