"""Confirming addresses; resetting and changing passwords; proving again."""

import pytest
from account_world import (
    PASSWORD,
    actions,
    api,
    code_of,
    logged_in,
    mailed_token,
    mails,
    registered,
    stepped_up,
    with_second_factor,
)
from api_world import sql

__all__ = ["api"]

pytestmark = pytest.mark.service

NEW = "staple battery horse"


def log_in(api, person, password):
    return api.post("/v1/auth/login", json={"email": person.email, "password": password})


def reset(api, token, password=NEW, **given):
    body = {"token": token, "new_password": password} | given
    return api.post("/v1/auth/password/reset", json=body)


def forget(api, email):
    return api.post("/v1/auth/password/forgot", json={"email": email})


def test_an_address_is_confirmed_once_by_the_mailed_token(api):
    person = registered(api)
    token = mailed_token(api, "verify_email")
    answer = api.post("/v1/auth/verify-email", json={"token": token})
    assert answer.status_code == 200
    assert answer.json() == {
        "user": {
            "id": person.id,
            "email": person.email,
            "username": person.username,
            "subscription_tier": "free",
        }
    }
    assert api.get("/v1/me", headers=person.headers).json()["user"]["is_verified"] is True
    assert api.post("/v1/auth/verify-email", json={"token": token}).status_code == 422
    assert actions(api, person.id)[-1] == "account.email_verified"


def test_confirming_again_kills_the_former_link_and_tells_nobody_who_is_who(api):
    person = registered(api)
    first = mailed_token(api, "verify_email")
    answers = [
        api.post("/v1/auth/verify-email/resend", json={"email": email})
        for email in (person.email, "nobody@example.com")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, "")}
    assert [recipient for _, recipient, _ in mails(api)] == [person.email] * 2
    assert api.post("/v1/auth/verify-email", json={"token": first}).status_code == 422
    second = mailed_token(api, "verify_email")
    assert api.post("/v1/auth/verify-email", json={"token": second}).status_code == 200
    api.post("/v1/auth/verify-email/resend", json={"email": person.email})
    assert len(mails(api)) == 2  # it is confirmed already


def test_a_forgotten_password_is_set_anew_and_every_session_ends(api):
    person = registered(api)
    answers = [forget(api, email) for email in ("JOHNDOE@example.com", "nobody@example.com")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, "")}
    token = mailed_token(api, "reset_password")
    assert reset(api, token, "password123").status_code == 422
    assert reset(api, token, "johndoe-2024").status_code == 422
    assert reset(api, token).status_code == 204
    assert reset(api, token).status_code == 422
    assert log_in(api, person, PASSWORD).status_code == 401
    assert log_in(api, person, NEW).status_code == 200
    assert api.get("/v1/me", headers=person.headers).status_code == 401
    body = {"refresh_token": person.refresh_token}
    assert api.post("/v1/auth/refresh", json=body).status_code == 401
    assert mails(api)[-1][0] == "password_changed"
    assert sql(api, "SELECT is_verified FROM users WHERE id = %s", person.id) == [(True,)]
    assert "account.password_reset" in actions(api, person.id)


def test_only_the_newest_link_works_and_only_for_its_time(api):
    person = registered(api)
    forget(api, person.email)
    first = mailed_token(api, "reset_password")
    forget(api, person.email)
    second = mailed_token(api, "reset_password")
    assert reset(api, first).status_code == 422
    sql(api, "UPDATE one_time_tokens SET expires_at = now() - interval '1 second'")
    assert reset(api, second).status_code == 422
    assert reset(api, "x" * 43).status_code == 422
    assert log_in(api, person, PASSWORD).status_code == 200


def test_a_token_is_good_for_its_purpose_alone(api):
    registered(api)
    assert reset(api, mailed_token(api, "verify_email")).status_code == 422
    forget(api, "johndoe@example.com")
    token = mailed_token(api, "reset_password")
    assert api.post("/v1/auth/verify-email", json={"token": token}).status_code == 422
    body = {"mfa_token": token, "code": "123456"}
    assert api.post("/v1/auth/2fa/verify", json=body).status_code == 401


def test_resetting_asks_for_the_second_factor_where_it_is_on(api):
    person = registered(api)
    secret, codes = with_second_factor(api, person)
    forget(api, person.email)
    token = mailed_token(api, "reset_password")
    refused = reset(api, token)
    assert refused.status_code == 401
    assert refused.json()["type"].endswith("/mfa-required")
    for _ in range(4):
        assert reset(api, token, code="000000").status_code == 401
    assert reset(api, token, code=codes[0]).status_code == 204
    forget(api, person.email)
    token = mailed_token(api, "reset_password")
    for _ in range(5):
        assert reset(api, token, code="000000").status_code == 401
    assert reset(api, token, code=code_of(secret)).status_code == 422  # the token is worth nothing


def test_changing_the_password_ends_the_other_sessions(api):
    person = registered(api)
    other = logged_in(api, person)
    body = {"current_password": PASSWORD, "new_password": NEW}

    def change(headers, **given):
        return api.post("/v1/auth/password/change", json=body | given, headers=headers)

    assert change(person.headers).json()["type"].endswith("/step-up-required")
    headers = stepped_up(api, person)
    assert change(headers, current_password="wrong horse").status_code == 401
    assert change(headers, new_password="short").status_code == 422
    assert change(headers).status_code == 204
    assert api.get("/v1/me", headers=other.headers).status_code == 401
    assert api.get("/v1/me", headers=person.headers).status_code == 200
    assert log_in(api, person, PASSWORD).status_code == 401
    assert log_in(api, person, NEW).status_code == 200
    assert mails(api)[-1][0] == "password_changed"


def test_a_proof_is_the_password_and_lasts_five_minutes(api):
    person = registered(api)
    for body, status in (
        ({"password": "wrong horse"}, 401),
        ({}, 422),
        ({"code": "123456"}, 401),
    ):
        answer = api.post("/v1/auth/reauthenticate", json=body, headers=person.headers)
        assert answer.status_code == status, body
    headers = stepped_up(api, person)
    assert api.post("/v1/auth/2fa/totp", headers=headers).status_code == 201
    assert "session.stepped_up" in actions(api, person.id)
    assert api.post("/v1/auth/reauthenticate", json={"password": PASSWORD}).status_code == 401
