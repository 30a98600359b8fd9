"""The second factor: enrolling, signing in with it, recovery codes, removing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from account_world import (
    PASSWORD,
    actions,
    api,
    code_of,
    mails,
    registered,
    stepped_up,
    with_second_factor,
)
from api_world import newcomer, sql

__all__ = ["api"]

pytestmark = pytest.mark.service


def mfa_token(api, person):
    body = {"email": person.email, "password": PASSWORD}
    answer = api.post("/v1/auth/login", json=body)
    assert answer.status_code == 200
    assert answer.json() == {"mfa_required": True, "mfa_token": answer.json()["mfa_token"]}
    return answer.json()["mfa_token"]


def verify(api, token, **given):
    return api.post("/v1/auth/2fa/verify", json={"mfa_token": token} | given)


def test_a_second_factor_is_asked_for_once_it_was_confirmed(api):
    person = registered(api)
    assert api.post("/v1/auth/2fa/totp", headers=person.headers).status_code == 401
    headers = stepped_up(api, person)
    begun = api.post("/v1/auth/2fa/totp", headers=headers)
    assert begun.json().keys() == {"secret", "otpauth_url", "enrolment_id"}
    assert begun.json()["otpauth_url"].startswith("otpauth://totp/FileOrganizer:johndoe%40")
    assert api.post(
        "/v1/auth/login", json={"email": person.email, "password": PASSWORD}
    ).json().keys() == {"user", "access_token", "refresh_token"}
    body = {"enrolment_id": begun.json()["enrolment_id"], "code": "000000"}
    confirm = "/v1/auth/2fa/totp/confirm"
    assert api.post(confirm, json=body, headers=person.headers).status_code == 422
    body["code"] = code_of(begun.json()["secret"], steps=-1)
    stranger = newcomer(api)
    assert api.post(confirm, json=body, headers=stranger.headers).status_code == 404
    answer = api.post(confirm, json=body, headers=person.headers)
    assert answer.status_code == 200
    assert answer.json().keys() == {"recovery_codes"}
    assert api.post(confirm, json=body, headers=person.headers).status_code == 409
    assert api.post("/v1/auth/2fa/totp", headers=headers).status_code == 409
    [(stored,)] = sql(api, "SELECT secret FROM mfa_factors")
    assert begun.json()["secret"].encode() not in bytes(stored)
    assert mails(api)[-1][0] == "mfa_changed"
    signed_in = verify(api, mfa_token(api, person), code=code_of(begun.json()["secret"]))
    assert signed_in.status_code == 200
    assert signed_in.json().keys() == {"user", "access_token", "refresh_token"}
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    assert api.get("/v1/me", headers=headers).json()["user"]["mfa_enabled"] is True


def test_a_code_works_once_also_at_the_same_time(api):
    person = registered(api)
    secret, _ = with_second_factor(api, person)
    tokens = [mfa_token(api, person) for _ in range(8)]
    code = code_of(secret)
    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(lambda t: verify(api, t, code=code).status_code, tokens))
    assert found == [200] + [401] * 7


def test_a_recovery_code_works_once(api):
    person = registered(api)
    _, codes = with_second_factor(api, person)
    assert verify(api, mfa_token(api, person), recovery_code=codes[0]).status_code == 200
    assert verify(api, mfa_token(api, person), recovery_code=codes[0]).status_code == 401
    shouted = codes[1].upper().replace("-", " ")
    assert verify(api, mfa_token(api, person), recovery_code=shouted).status_code == 200
    assert "mfa.recovery_code_used" in actions(api, person.id)


def test_new_recovery_codes_replace_the_old_ones(api):
    person = registered(api)
    secret, codes = with_second_factor(api, person)
    path = "/v1/auth/2fa/recovery-codes"
    assert api.post(path, headers=person.headers).status_code == 401
    headers = stepped_up(api, person, code=code_of(secret))
    fresh = api.post(path, headers=headers).json()["recovery_codes"]
    assert len(set(fresh) - set(codes)) == 10
    assert verify(api, mfa_token(api, person), recovery_code=codes[0]).status_code == 401
    assert verify(api, mfa_token(api, person), recovery_code=fresh[0]).status_code == 200


def test_a_token_is_worth_nothing_after_five_wrong_codes_or_once_used(api):
    person = registered(api)
    secret, codes = with_second_factor(api, person)
    token = mfa_token(api, person)
    for _ in range(5):
        assert verify(api, token, code="000000").status_code == 401
    assert verify(api, token, code=code_of(secret)).status_code == 401
    token = mfa_token(api, person)
    assert verify(api, token, code=code_of(secret)).status_code == 200
    assert verify(api, token, recovery_code=codes[0]).status_code == 401
    for body in ({}, {"code": "123456", "recovery_code": codes[0]}):
        assert verify(api, token, **body).status_code == 422


def test_codes_cannot_be_tried_without_end(api):
    person = registered(api)
    secret, _ = with_second_factor(api, person)
    found = []
    for _ in range(3):
        token = mfa_token(api, person)
        found += [verify(api, token, code="000000").status_code for _ in range(4)]
    assert found == [401] * 10 + [429] * 2
    late = verify(api, mfa_token(api, person), code=code_of(secret))
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    sql(api, "UPDATE audit_log SET at = at - interval '16 minutes'")
    assert verify(api, mfa_token(api, person), code=code_of(secret)).status_code == 200


def test_the_password_alone_is_no_proof_where_a_factor_is_on(api):
    person = registered(api)
    secret, _ = with_second_factor(api, person)
    refused = api.post(
        "/v1/auth/reauthenticate", json={"password": PASSWORD}, headers=person.headers
    )
    assert refused.status_code == 401
    assert refused.json()["type"].endswith("/mfa-required")
    assert api.delete("/v1/auth/2fa/totp", headers=person.headers).status_code == 401
    headers = stepped_up(api, person, code=code_of(secret))
    assert api.delete("/v1/auth/2fa/totp", headers=headers).status_code == 204
    assert api.delete("/v1/auth/2fa/totp", headers=headers).status_code == 404
    assert api.post("/v1/auth/2fa/recovery-codes", headers=headers).status_code == 409
    assert sql(api, "SELECT count(*) FROM recovery_codes") == [(0,)]
    body = {"email": person.email, "password": PASSWORD}
    assert "access_token" in api.post("/v1/auth/login", json=body).json()
    assert stepped_up(api, person)
