"""A POST with an Idempotency-Key takes effect once, however often and at once it comes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from api_world import api, app_of, newcomer, sql
from sqlalchemy import text
from starlette.requests import Request
from starlette.testclient import TestClient

from api.shell.database import Transaction
from api.shell.principal import CurrentAccount
from models.domain.errors import BusyError

__all__ = ["api"]
pytestmark = pytest.mark.service


@pytest.fixture
def tagging(api: TestClient) -> TestClient:
    """An endpoint that makes a tag each time it is carried out."""

    @app_of(api).post("/v1/probe", status_code=201)
    async def probe(account: CurrentAccount, transaction: Transaction, request: Request) -> dict:
        body = await request.body()
        add = text(
            "INSERT INTO file_tags (user_id, tag_name) VALUES (:me, gen_random_uuid()::text)"
            " RETURNING id::text"
        )
        made = (await transaction.execute(add, {"me": account.account_id})).scalar_one()
        if b"busy" in body:
            raise BusyError("later")
        return {"id": made}

    return api


def tags(api: TestClient, person) -> int:
    return sql(api, "SELECT count(*) FROM file_tags WHERE user_id = %s", person.id)[0][0]


def test_the_same_again_is_answered_the_same_and_another_refused(tagging: TestClient) -> None:
    me, them = newcomer(tagging), newcomer(tagging)
    keyed = {**me.headers, "Idempotency-Key": "k1"}
    first, again = (tagging.post("/v1/probe", headers=keyed, json={"a": 1}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert tagging.post("/v1/probe", headers=keyed, json={"a": 2}).status_code == 422
    assert tagging.post("/v1/probe?x=1", headers=keyed, json={"a": 1}).status_code == 422
    assert tags(tagging, me) == 1
    theirs = tagging.post(
        "/v1/probe", headers={**them.headers, "Idempotency-Key": "k1"}, json={"a": 2}
    )
    assert theirs.status_code == 201
    assert theirs.json() != first.json()
    [(answer,)] = sql(tagging, "SELECT answer FROM idempotency_keys WHERE user_id = %s", me.id)
    assert first.json()["id"].encode() not in bytes(answer)


def test_fifty_at_once_are_one(tagging: TestClient) -> None:
    me = newcomer(tagging)
    keyed = {**me.headers, "Idempotency-Key": "fifty"}
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: tagging.post("/v1/probe", headers=keyed, json={}), range(50))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert tags(tagging, me) == 1


def test_what_failed_may_be_tried_again_with_its_key(tagging: TestClient) -> None:
    me = newcomer(tagging)
    keyed = {**me.headers, "Idempotency-Key": "again"}
    assert tagging.post("/v1/probe", headers=keyed, content=b"busy").status_code == 503
    assert tagging.post("/v1/probe", headers=keyed, content=b"calm").status_code == 201
    assert tags(tagging, me) == 1


def test_a_refused_request_leaves_its_key_free(tagging: TestClient) -> None:
    keyed = {"Idempotency-Key": "wrong-password"}
    who = {"email": "nobody@example.com", "password": "not the right one"}
    for _ in range(2):
        assert tagging.post("/v1/auth/login", headers=keyed, json=who).status_code == 401
    assert sql(tagging, "SELECT count(*) FROM idempotency_keys") == [(0,)]


def test_a_form_may_come_again_with_another_boundary(tagging: TestClient) -> None:
    me = newcomer(tagging)
    keyed = {**me.headers, "Idempotency-Key": "form"}
    answers = [
        tagging.post("/v1/probe", headers=keyed, files={"file": ("a.txt", b"x" * 100_000)})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert tags(tagging, me) == 1


def test_what_took_effect_and_was_not_answered_is_never_done_again(tagging: TestClient) -> None:
    me = newcomer(tagging)
    keyed = {**me.headers, "Idempotency-Key": "killed"}
    assert tagging.post("/v1/probe", headers=keyed, json={}).status_code == 201
    killed = "UPDATE idempotency_keys SET answer = NULL, claimed_until = now() - interval '1 s'"
    sql(tagging, killed)
    assert tagging.post("/v1/probe", headers=keyed, json={}).status_code == 409
    assert tags(tagging, me) == 1
    sql(tagging, "UPDATE idempotency_keys SET has_effect = false")  # it died before
    assert tagging.post("/v1/probe", headers=keyed, json={}).status_code == 201
    assert tags(tagging, me) == 2
