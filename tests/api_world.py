"""A real API over a real, migrated Postgres, and people who use it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.shell.tokens import TokenKeys
from models.entitlements import price_list
from models.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """An account with a token; `headers` authenticate a request."""

    id: str
    email: str
    username: str
    session_id: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def api_settings(home: Path, database_url: str, **given: Any) -> Settings:
    """Settings of an API below a folder, without limits of rate; `given` overrides."""
    usual = {
        "storage_url": str(home / "storage"),
        "lake_url": str(home / "lake"),
        "rate_limits": False,
    }
    return Settings(home=home, database_url=SecretStr(database_url), **(usual | given))


def app_of(api: TestClient) -> FastAPI:
    """The app behind a client."""
    return cast("FastAPI", api.app)


def database_url_of(api: TestClient) -> str:
    """The owner's URL of the app's database, as psycopg takes it."""
    url = app_of(api).state.settings.database_url.get_secret_value()
    return url.replace("+psycopg", "")


def sql(api: TestClient, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement as the database's owner; its rows, if it has any."""
    with psycopg.connect(database_url_of(api), autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def newcomer(
    api: TestClient, *, plan: str = "free", is_verified: bool = True, is_stepped_up: bool = False
) -> Newcomer:
    """Make an account by SQL, and a token for it.

    Args:
        api: the client.
        plan: of the price list; the quota follows it.
        is_verified: whether its e-mail address counts as confirmed.
        is_stepped_up: whether the token is one of somebody who proved again who they are.
    """
    name = f"user{secrets.token_hex(6)}"
    quota = price_list().plan(plan).limits["storage_bytes"]
    [(account_id,)] = sql(
        api,
        "INSERT INTO users (email, password_hash, username, subscription_tier, storage_quota_gb,"
        " is_verified) VALUES (%s, '!', %s, %s, %s, %s) RETURNING id::text",
        f"{name}@example.com",
        name,
        plan,
        None if quota is None else quota // 10**9,
        is_verified,
    )
    [(session_id,)] = sql(
        api,
        "INSERT INTO auth_sessions (user_id, family_hash, current_hash, expires_at)"
        " VALUES (%s, '', '', now() + interval '1 day') RETURNING id::text",
        account_id,
    )
    keys: TokenKeys = app_of(api).state.token_keys
    token = keys.sign(
        account_id,
        session_id=session_id,
        stepped_up_at=datetime.now(UTC) if is_stepped_up else None,
    )
    return Newcomer(
        id=account_id,
        email=f"{name}@example.com",
        username=name,
        session_id=session_id,
        token=token,
    )


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[TestClient]:
    """A client of a running app; answers of 5xx are answers, not exceptions."""
    app = create_app(api_settings(tmp_path / "home", database_url))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
