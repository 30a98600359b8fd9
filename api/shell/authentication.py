"""Who asks, as far as the token alone says it."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.shell.problems import unauthenticated
from api.shell.tokens import Claims, TokenKeys

_bearer = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="The access token of POST /v1/auth/login."
)


def keys_of(request: Request) -> TokenKeys:
    """The app's token keys."""
    return cast("TokenKeys", request.app.state.token_keys)


def _authenticated(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims:
    """The checked claims of the request's bearer token.

    Raises:
        ProblemError: 401, with what RFC 6750 wants said.
    """
    if given is None:
        raise unauthenticated("a bearer token is needed: POST /v1/auth/login gives one")
    claims = keys_of(request).check(given.credentials)
    request.state.account_id = claims.account_id
    return claims


async def _authenticated_async(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims:
    # A coroutine: a plain function would be sent to a thread, which costs more than the check.
    return _authenticated(request, given)


Authenticated = Annotated[Claims, Depends(_authenticated_async)]
"""Claims of a token that counts; nothing was asked of the database yet."""
