"""Requests to the API: signed in, tried again where that is safe, errors as ours."""

import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from cli.api_client.sessions import SessionFile, StoredSession
from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    FileOrganizerError,
    ForbiddenError,
    InvalidError,
    MissingError,
)

TIMEOUT_S = 60.0
"""Seconds without a byte; a removal that waits for its job takes 12."""
ATTEMPTS = 4
"""Tries of a request that met a busy or silent server; waits are 1, 2, 4 s or what it asks for."""
LONGEST_WAIT_S = 30.0

KINDS: Mapping[int, type[FileOrganizerError]] = {
    400: InvalidError,
    401: ForbiddenError,
    402: ForbiddenError,
    403: ForbiddenError,
    404: MissingError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
}
"""What statuses are among our errors; any other failure is a broken promise."""

WAITING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Transport:
    """One HTTP connection to one API.

    Args:
        http: a client whose base URL is the API's, without `/v1`.
        sessions: where tokens are kept; None for calls that need none.
        wait: sleeps, for tests.
    """

    def __init__(
        self,
        http: httpx.Client,
        sessions: SessionFile | None = None,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._sessions = sessions
        self._wait = wait

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of an answer; None of one without a body.

        Raises:
            FileOrganizerError: what the API answered, or BusyError where it does not.
        """
        answer = self.send(method, path, **options)
        return answer.json() if answer.content else None

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        make: Callable[[], Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return an answer of 2xx.

        A POST carries an `Idempotency-Key`, so it may be sent again without being done twice.

        Args:
            method: of HTTP.
            path: below `/v1`.
            headers: added.
            make: makes options that one request uses up, such as open files; called for each try.
            options: of `httpx.Client.request`.

        Raises:
            FileOrganizerError: what the API answered, or BusyError where it does not.
        """
        extra = dict(headers or {})
        if method == "POST":
            extra.setdefault("Idempotency-Key", str(uuid.uuid4()))
        has_refreshed = False
        for attempt in range(ATTEMPTS):
            used = self._sessions.load() if self._sessions else None
            bearer = {"Authorization": f"Bearer {used.access_token}"} if used else {}
            given = {**options, **(make() if make else {})}
            try:
                answer = self._http.request(method, f"/v1{path}", headers=bearer | extra, **given)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS - 1:
                    raise BusyError(f"the API at {self._http.base_url} does not answer") from error
                self._wait(2.0**attempt)
                continue
            if answer.status_code == HTTPStatus.UNAUTHORIZED and used and not has_refreshed:
                has_refreshed = True
                self._refresh(used)
            elif answer.status_code in WAITING and attempt < ATTEMPTS - 1:
                self._wait(_asked_wait(answer, 2.0**attempt))
            else:
                return _checked(answer)
        raise BusyError(f"the API at {self._http.base_url} is occupied")

    def _refresh(self, used: StoredSession) -> None:
        """Get new tokens, unless another command just did."""
        if self._sessions is None:
            return
        with self._sessions.exclusive():
            kept = self._sessions.load()
            if kept.access_token != used.access_token:
                return
            answer = self._http.post("/v1/auth/refresh", json={"refresh_token": kept.refresh_token})
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                raise ForbiddenError("the sign-in has ended: `fileorganizer login` again")
            tokens = _checked(answer).json()
            self._sessions.save(
                StoredSession(
                    url=kept.url,
                    access_token=tokens["access_token"],
                    refresh_token=tokens["refresh_token"],
                )
            )


def _asked_wait(answer: httpx.Response, otherwise: float) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked) if asked.isdigit() else otherwise, LONGEST_WAIT_S)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    answer.read()
    kind = KINDS.get(answer.status_code, BrokenError)
    raise kind(_words(answer))


def _words(answer: httpx.Response) -> str:
    """What a problem document says; its status where it is none."""
    try:
        problem = answer.json()
        parts = [str(problem["detail"])]
        parts += [f"{each['pointer']}: {each['message']}" for each in problem.get("errors") or []]
    except (ValueError, KeyError, TypeError):
        return f"the API answers {answer.status_code}"
    return "; ".join(parts)
