"""The API's shell: who asks, problems, pages, request ids."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from api_world import api, app_of, newcomer, sql
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter
from starlette.testclient import TestClient

from api.shell.database import Transaction
from api.shell.pagination import CursorQuery, PageQuery
from api.shell.principal import CurrentAccount, SteppedUp
from api.shell.tokens import TokenKeys, token_keys
from models.domain import errors
from models.domain.errors import BrokenError, FileOrganizerError

__all__ = ["api"]
pytestmark = pytest.mark.service


@pytest.fixture
def probe(api: TestClient) -> TestClient:
    """The app with some endpoints that do one thing each."""
    router = APIRouter(prefix="/probe")

    @router.get("/me")
    async def me(account: CurrentAccount) -> dict[str, object]:
        return {"id": account.account_id, **account.snapshot()}

    @router.get("/proved")
    async def proved(account: SteppedUp) -> str:
        return account.account_id

    @router.post("/rename")
    async def rename(account: CurrentAccount, transaction: Transaction, fails: bool = False) -> str:
        from sqlalchemy import text

        change = text("UPDATE users SET full_name = 'renamed' WHERE id = :id")
        await transaction.execute(change, {"id": account.account_id})
        if fails:
            raise BrokenError("a secret reason")
        return "renamed"

    @router.get("/errors/{name}")
    async def fail(name: str) -> None:
        raise getattr(errors, name)("why")

    @router.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("a secret bug")

    @router.get("/page")
    async def page(asked: PageQuery) -> dict[str, object]:
        return asked.pagination(101).model_dump()

    @router.get("/cursor")
    async def cursor(asked: CursorQuery) -> dict[str, object]:
        return {"after": asked.after, **asked.pagination(["2026", "x"]).model_dump()}

    app_of(api).include_router(router, prefix="/v1")
    return api


def test_without_a_token_that_counts_the_answer_is_401(probe: TestClient) -> None:
    person = newcomer(probe)
    keys: TokenKeys = app_of(probe).state.token_keys
    old = datetime.now(UTC) - timedelta(hours=1)
    strange = TokenKeys(Ed25519PrivateKey.generate())
    unsigned = jwt.encode({"sub": person.id}, key=None, algorithm="none")
    refused = [
        None,
        "nonsense",
        unsigned,
        person.token[:-4] + "AAAA",
        keys.sign(person.id, session_id=person.session_id, now=old),
        strange.sign(person.id, session_id=person.session_id),
        keys.sign(person.id, session_id=person.session_id, epoch=7),
        keys.sign("00000000-0000-0000-0000-00000000dead", session_id=person.session_id),
        keys.sign("no-uuid", session_id=person.session_id),
    ]
    for token in refused:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = probe.get("/v1/probe/me", headers=headers)
        assert answer.status_code == 401, token
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
    sql(probe, "UPDATE users SET is_active = false WHERE id = %s", person.id)
    assert probe.get("/v1/probe/me", headers=person.headers).status_code == 401


def test_the_principal_is_the_account_and_its_entitlement(probe: TestClient) -> None:
    person = newcomer(probe, plan="pro")
    found = probe.get("/v1/probe/me", headers=person.headers).json()
    assert (found["id"], found["plan"], found["state"]) == (person.id, "pro", "active")
    assert found["features"]["fuzzy_duplicates"] is True
    assert found["limits"]["storage_bytes"] == 100 * 10**9
    sql(
        probe,
        "INSERT INTO subscriptions (user_id, plan_id, status) VALUES (%s, 'pro', 'unpaid')",
        person.id,
    )
    found = probe.get("/v1/probe/me", headers=person.headers).json()
    assert (found["state"], found["features"]["fuzzy_duplicates"]) == ("read_only", False)


def test_step_up_is_asked_for_and_taken(probe: TestClient) -> None:
    person, proved = newcomer(probe), newcomer(probe, is_stepped_up=True)
    answer = probe.get("/v1/probe/proved", headers=person.headers)
    assert answer.status_code == 401
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    assert probe.get("/v1/probe/proved", headers=proved.headers).json() == proved.id
    keys: TokenKeys = app_of(probe).state.token_keys
    early = datetime.now(UTC) - timedelta(minutes=6)
    late = keys.sign(person.id, session_id=person.session_id, stepped_up_at=early)
    headers = {"Authorization": f"Bearer {late}"}
    assert probe.get("/v1/probe/proved", headers=headers).status_code == 401


def test_a_transaction_commits_with_the_answer_and_not_with_an_error(probe: TestClient) -> None:
    person = newcomer(probe)
    name = "SELECT full_name FROM users WHERE id = %s"
    url = "/v1/probe/rename"
    assert probe.post(url, headers=person.headers, params={"fails": True}).status_code == 500
    assert sql(probe, name, person.id) == [(None,)]
    assert probe.post(url, headers=person.headers).status_code == 200
    assert sql(probe, name, person.id) == [("renamed",)]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidError", 422),
        ("UnsafePathError", 422),
        ("MissingError", 404),
        ("ForbiddenError", 403),
        ("StaleError", 409),
        ("BusyError", 503),
        ("CorruptError", 500),
    ],
)
def test_each_kind_of_error_has_its_problem(probe: TestClient, name: str, status: int) -> None:
    answer = probe.get(f"/v1/probe/errors/{name}")
    found = answer.json()
    assert (answer.status_code, found["status"]) == (status, status)
    assert found["request_id"] == answer.headers["X-Request-Id"]
    assert ("why" in found["detail"]) == (status < 500)  # what is inside stays inside
    assert issubclass(getattr(errors, name), FileOrganizerError)


def test_bugs_and_strangers_get_problems_too(probe: TestClient) -> None:
    bug = probe.get("/v1/probe/bug", headers={"X-Request-Id": "chosen-by-me"})
    assert (bug.status_code, bug.json()["request_id"]) == (500, "chosen-by-me")
    assert "secret" not in bug.text
    for method, path, status in (
        ("GET", "/v2/files", 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/version", 405),
        ("GET", "/v1/probe/page?page=0", 422),
        ("GET", "/v1/probe/cursor?cursor=%00", 422),
        ("GET", "/v1/probe/cursor?cursor=e30", 422),
    ):
        answer = probe.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status), path
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert "v1" in probe.get("/v2/files").json()["detail"]


def test_pages_and_cursors_describe_themselves(probe: TestClient) -> None:
    assert probe.get("/v1/probe/page?page=3&per_page=50").json() == {
        "page": 3,
        "per_page": 50,
        "total": 101,
        "pages": 3,
        "next_cursor": None,
    }
    first = probe.get("/v1/probe/cursor").json()
    assert first["after"] is None
    again = probe.get("/v1/probe/cursor", params={"cursor": first["next_cursor"]}).json()
    assert again["after"] == ["2026", "x"]


def test_keys_are_made_once_and_for_their_owner_alone(api: TestClient) -> None:
    settings = app_of(api).state.settings
    path = settings.home_path / "keys" / "tokens.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    person = newcomer(api)
    assert token_keys(settings).check(person.token).account_id == person.id
