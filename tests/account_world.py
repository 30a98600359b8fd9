"""People who register at the API, and the mail they get."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
from api_world import api_settings, sql
from starlette.testclient import TestClient

from api.app import create_app

PASSWORD = "correct horse battery"

CHEAP = {"password_memory_kib": 8_192, "password_passes": 1}
"""Settings of hashes that cost little; the algorithm is the same."""


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[TestClient]:
    """A client of a running app whose password hashes cost little."""
    app = create_app(api_settings(tmp_path / "home", database_url, **CHEAP))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who registered over the API."""

    id: str
    email: str
    username: str
    access_token: str
    refresh_token: str
    password: str = PASSWORD

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    def having(self, tokens: dict[str, Any]) -> "Person":
        """The same person with other tokens."""
        return replace(
            self, access_token=tokens["access_token"], refresh_token=tokens["refresh_token"]
        )


def registered(api: TestClient, name: str = "johndoe", **given: Any) -> Person:
    body = {
        "email": f"{name}@example.com",
        "password": PASSWORD,
        "username": name,
        "full_name": "John Doe",
    } | given
    answer = api.post("/v1/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    return Person(
        id=found["user"]["id"],
        email=found["user"]["email"],
        username=found["user"]["username"],
        access_token=found["access_token"],
        refresh_token=found["refresh_token"],
    )


def logged_in(api: TestClient, person: Person) -> Person:
    answer = api.post("/v1/auth/login", json={"email": person.email, "password": person.password})
    assert answer.status_code == 200, answer.text
    return person.having(answer.json())


def stepped_up(api: TestClient, person: Person, **proof: str) -> dict[str, str]:
    """Headers of somebody who just proved again who they are."""
    answer = api.post(
        "/v1/auth/reauthenticate",
        json=proof or {"password": person.password},
        headers=person.headers,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] == 300
    return {"Authorization": f"Bearer {answer.json()['step_up_token']}"}


def mails(api: TestClient, template: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    """What waits to be sent: template, recipient, context; the oldest first."""
    found = sql(
        api,
        "SELECT template, recipient, context FROM outgoing_mails"
        " WHERE %s::text IS NULL OR template = %s ORDER BY created_at, id",
        template,
        template,
    )
    return [(row[0], row[1], row[2]) for row in found]


def mailed_token(api: TestClient, template: str) -> str:
    """The token in the newest mail of a template."""
    return str(mails(api, template)[-1][2]["token"])


def actions(api: TestClient, account_id: str) -> list[str]:
    """What the audit log has of an account, in order."""
    rows = sql(api, "SELECT action FROM audit_log WHERE user_id = %s ORDER BY seq", account_id)
    return [row[0] for row in rows]


def code_of(secret: str, *, steps: int = 0) -> str:
    """The code of a factor now, or some steps from now."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def with_second_factor(api: TestClient, person: Person) -> tuple[str, list[str]]:
    """Switch a second factor on; return its secret and the recovery codes."""
    begun = api.post("/v1/auth/2fa/totp", headers=stepped_up(api, person))
    assert begun.status_code == 201, begun.text
    secret = begun.json()["secret"]
    # The step before is used, so that the present one's code is still good.
    answer = api.post(
        "/v1/auth/2fa/totp/confirm",
        json={"enrolment_id": begun.json()["enrolment_id"], "code": code_of(secret, steps=-1)},
        headers=person.headers,
    )
    assert answer.status_code == 200, answer.text
    codes = answer.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){2}", code) for code in codes)
    return secret, codes
