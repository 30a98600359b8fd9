"""The few calls we make to a Prefect server, over plain HTTP.

Prefect's own client takes two seconds to import and runs threads, and the supervisor forks.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from models.domain.errors import BrokenError, BusyError

TIMEOUT_S = 20.0

UNAVAILABLE_S = 10.0
"""How long a call is tried again that the server answers with 503: its database was locked by
another one, and nothing was done."""
_PAUSE_S = 0.5


class PrefectApi:
    """A Prefect server.

    Args:
        url: Its API, ending in `/api`.
        environment: Where `PREFECT_API_KEY` or `PREFECT_API_AUTH_STRING` stand, if it asks for one.
    """

    def __init__(self, url: str, environment: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        given = environment or {}
        headers = {}
        if key := given.get("PREFECT_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        user, _, password = given.get("PREFECT_API_AUTH_STRING", "").partition(":")
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            auth=httpx.BasicAuth(user, password) if user else None,
            timeout=TIMEOUT_S,
            # Calls are rare: no connection is kept, so that there is nothing to close.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,  # a proxy of the environment does not know our loopback
        )

    def is_healthy(self) -> bool:
        """True if the server answers that it is."""
        try:
            return self._client.get("/health", timeout=5.0).json() is True
        except (httpx.HTTPError, ValueError):
            return False

    def version(self) -> str:
        """Version of the server."""
        return str(self._call("GET", "/admin/version"))

    def find(self, path: str) -> dict[str, Any] | None:
        """One object, or None where the server has none."""
        return self._call("GET", path, missing_ok=True)

    def filter(self, noun: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The objects of a kind that a filter matches; the server's first 200."""
        return self._call("POST", f"/{noun}/filter", body)

    def create(self, noun: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object; one that exists already (another process was faster) is left alone."""
        return self._call("POST", f"/{noun}/", body, conflict_ok=True)

    def change(self, path: str, body: Mapping[str, Any]) -> None:
        """Change parts of an object."""
        self._call("PATCH", path, body)

    def set_state(self, flow_run_id: str, state: Mapping[str, Any]) -> None:
        """Put a flow run into a state, whatever its own rules say."""
        self._call("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True})

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        missing_ok: bool = False,
        conflict_ok: bool = False,
    ) -> Any:
        """One request.

        Raises:
            BusyError: the server does not answer, or its database is locked for long.
            BrokenError: it refuses; the message holds its answer.
        """
        answer = self._answer(method, path, body)
        if missing_ok and answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if conflict_ok and answer.status_code == HTTPStatus.CONFLICT:
            return {}
        if answer.is_error:
            raise BrokenError(
                f"Prefect refused {method} {path} ({answer.status_code}): {answer.text[:500]}"
            )
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        deadline = time.monotonic() + UNAVAILABLE_S
        while True:
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.HTTPError as error:
                raise BusyError(f"Prefect at {self.url} does not answer: {error}") from error
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                return answer
            if time.monotonic() > deadline:
                raise BusyError(f"Prefect at {self.url} is busy: {answer.text[:500]}")
            time.sleep(_PAUSE_S)
