"""Registering, signing in and out, refresh tokens, sessions."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from account_world import (
    PASSWORD,
    actions,
    api,
    logged_in,
    mails,
    registered,
    stepped_up,
)
from api_world import app_of, newcomer, sql

from api.auth.passwords import Passwords, argon2id

__all__ = ["api"]

pytestmark = pytest.mark.service


def refresh(api, token):
    return api.post("/v1/auth/refresh", json={"refresh_token": token})


def age_rotations(api, seconds):
    sql(api, f"UPDATE auth_sessions SET rotated_at = rotated_at - interval '{seconds} seconds'")


def test_registering_answers_to_the_letter(api):
    body = {
        "email": "user@example.com",
        "password": "SecurePass123!",
        "username": "johndoe",
        "full_name": "John Doe",
        "subscription_tier": "enterprise",
        "is_verified": True,
        "storage_quota_gb": 9999,
    }
    answer = api.post("/v1/auth/register", json=body)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/me"
    found = answer.json()
    assert found.keys() == {"user", "access_token", "refresh_token"}
    assert found["user"] == {
        "id": found["user"]["id"],
        "email": "user@example.com",
        "username": "johndoe",
        "subscription_tier": "free",  # whatever was sent
    }
    [(tier, quota, verified, full_name, stored)] = sql(
        api,
        "SELECT subscription_tier, storage_quota_gb, is_verified, full_name, password_hash"
        " FROM users WHERE NOT is_system",
    )
    assert (tier, quota, verified, full_name) == ("free", 5, False, "John Doe")
    assert stored.startswith("$argon2id$")
    assert "argon2" not in answer.text
    assert actions(api, found["user"]["id"]) == ["account.registered"]
    [(template, recipient, _)] = mails(api)
    assert (template, recipient) == ("verify_email", "user@example.com")
    me = api.get("/v1/me", headers={"Authorization": f"Bearer {found['access_token']}"})
    assert me.json()["user"].items() >= found["user"].items()


def test_addresses_and_names_are_taken_without_regard_to_case(api):
    registered(api, "johndoe")
    for given in (
        {"email": "JOHNDOE@Example.com", "username": "other"},
        {"email": "other@example.com", "username": "JohnDoe"},
    ):
        body = {"password": PASSWORD, "full_name": None} | given
        answer = api.post("/v1/auth/register", json=body)
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("/conflict")
    assert api.post(
        "/v1/auth/login", json={"email": "JohnDoe@EXAMPLE.com", "password": PASSWORD}
    ).is_success


def test_twenty_registrations_of_one_name_at_once_make_one_account(api):
    def attempt(number):
        body = {"email": f"p{number}@example.com", "password": PASSWORD, "username": "same"}
        return api.post("/v1/auth/register", json=body).status_code

    with ThreadPoolExecutor(20) as pool:
        found = sorted(pool.map(attempt, range(20)))
    assert found == [201] + [409] * 19


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ({"password": "x" * 7}, False),
        ({"password": "password123"}, False),
        ({"password": "PASSWORD123"}, False),
        ({"password": "johndoe2024!"}, False),
        ({"password": "FileOrganizer1!"}, False),
        ({"password": "user@example.com"}, False),
        ({"password": "ääääääääää"}, False),
        ({"password": "correct horse battery"}, True),
        ({"password": "k" * 32 + "Zoë 日本 " * 8}, True),
        ({"password": "long " * 200}, True),
        ({"password": "long " * 210}, False),
        ({"email": "no address"}, False),
        ({"email": "user@exa mple.com"}, False),
        ({"username": "a"}, False),
        ({"username": "a b"}, False),
        ({"username": "x@y"}, False),
        ({"username": "zoë.d-oe_7"}, True),
    ],
)
def test_what_may_be_chosen(api, given, is_taken):
    body = {"email": "user@example.com", "password": PASSWORD, "username": "johndoe"} | given
    answer = api.post("/v1/auth/register", json=body)
    assert answer.status_code == (201 if is_taken else 422), answer.text
    assert given.get("password", "no password") not in answer.text
    if is_taken:
        credentials = {"email": body["email"], "password": body["password"]}
        assert api.post("/v1/auth/login", json=credentials).status_code == 200


def test_signing_in_answers_to_the_letter(api):
    person = registered(api)
    answer = api.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 200
    found = answer.json()
    assert found.keys() == {"user", "access_token", "refresh_token"}
    assert found["user"].keys() == {"id", "email", "username", "subscription_tier"}
    assert sql(api, "SELECT last_login_at IS NOT NULL FROM users WHERE id = %s", person.id) == [
        (True,)
    ]
    assert actions(api, person.id)[-1] == "session.signed_in"


class Counted:
    """The real hasher; counts the hashes that it computes."""

    def __init__(self, hasher):
        self._hasher = hasher
        self.work = []

    def __getattr__(self, name):
        return getattr(self._hasher, name)

    def hash(self, *given, **named):
        self.work.append("hash")
        return self._hasher.hash(*given, **named)

    def verify(self, password, stored):
        self.work.append(stored[: stored.rindex("$") - 22])  # algorithm and cost
        return self._hasher.verify(password, stored)


def test_unknown_address_and_wrong_password_are_one_answer_after_the_same_work(api):
    registered(api)
    counted = Counted(argon2id(app_of(api).state.settings))
    app_of(api).state.passwords = Passwords(counted)
    tries = {
        "wrong": {"email": "johndoe@example.com", "password": "wrong horse battery"},
        "unknown": {"email": "nobody@example.com", "password": "wrong horse battery"},
        "odd": {"email": "no address at all", "password": ""},
        "long": {"email": "nobody@example.com", "password": "x" * 2000},
    }
    api.post("/v1/auth/login", json=tries["unknown"])  # makes the hash that nothing matches
    sql(api, "UPDATE users SET is_active = false WHERE is_system")
    found, work = {}, {}
    for name, body in tries.items():
        counted.work.clear()
        answer = api.post("/v1/auth/login", json=body)
        problem = answer.json()
        problem.pop("request_id")
        found[name] = (answer.status_code, problem, sorted(answer.headers.keys()))
        work[name] = list(counted.work)
    assert all(each == found["wrong"] for each in found.values())
    assert found["wrong"][0] == 401
    assert all(each == work["wrong"] for each in work.values()), work
    assert len(work["wrong"]) == 1


def test_the_systems_own_and_suspended_accounts_do_not_sign_in(api):
    person = registered(api)
    sql(api, "UPDATE users SET is_active = false WHERE id = %s", person.id)
    body = {"email": person.email, "password": PASSWORD}
    assert api.post("/v1/auth/login", json=body).status_code == 401
    assert api.get("/v1/me", headers=person.headers).status_code == 401
    assert refresh(api, person.refresh_token).status_code == 401


def test_a_hash_of_another_cost_is_made_anew_at_the_next_sign_in(api):
    person = registered(api)
    dearer = app_of(api).state.settings.model_copy(update={"password_passes": 2})
    app_of(api).state.passwords = Passwords(argon2id(dearer))
    [(before,)] = sql(api, "SELECT password_hash FROM users WHERE id = %s", person.id)
    logged_in(api, person)
    [(after,)] = sql(api, "SELECT password_hash FROM users WHERE id = %s", person.id)
    assert ",t=1," in before
    assert ",t=2," in after
    logged_in(api, person)
    assert sql(api, "SELECT password_hash FROM users WHERE id = %s", person.id) == [(after,)]


def test_refreshing_rotates_and_both_tokens_work(api):
    person = registered(api)
    tokens = [person.refresh_token]
    for _ in range(3):
        answer = refresh(api, tokens[-1])
        assert answer.status_code == 200
        assert answer.json().keys() == {"access_token", "refresh_token"}
        tokens.append(answer.json()["refresh_token"])
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert api.get("/v1/me", headers=headers).status_code == 200
    assert len(set(tokens)) == 4


def test_fifty_parallel_refreshes_leave_one_live_token(api):
    person = registered(api)
    gate = threading.Barrier(50)

    def attempt(_number):
        gate.wait()
        return refresh(api, person.refresh_token)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(attempt, range(50)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    [live] = successors
    assert sql(api, "SELECT count(*) FROM auth_sessions WHERE revoked_at IS NULL") == [(1,)]
    age_rotations(api, 11)
    assert refresh(api, live).status_code == 200


def test_a_replay_within_the_grace_gets_the_same_successor(api):
    person = registered(api)
    first = refresh(api, person.refresh_token).json()["refresh_token"]
    age_rotations(api, 9)
    assert refresh(api, person.refresh_token).json()["refresh_token"] == first


@pytest.mark.parametrize("generations", [1, 2, 4])
def test_a_replay_outside_the_grace_ends_the_session_and_is_recorded(api, generations):
    person = registered(api)
    other = logged_in(api, person)
    live = person.refresh_token
    for _ in range(generations):
        live = refresh(api, live).json()["refresh_token"]
    if generations == 1:
        age_rotations(api, 11)  # older generations have no grace at all
    assert refresh(api, person.refresh_token).status_code == 401
    assert refresh(api, live).status_code == 401
    assert api.get("/v1/me", headers=person.headers).status_code == 401
    assert api.get("/v1/me", headers=other.headers).status_code == 200
    assert actions(api, person.id)[-1] == "session.refresh_reused"
    assert mails(api)[-1][0] == "refresh_reused"
    assert refresh(api, other.refresh_token).status_code == 200


@pytest.mark.parametrize(
    "forged",
    [
        lambda token: token[:-4] + "AAAA",
        lambda token: token[:30] + "AAAA" + token[34:],  # another family
        lambda _token: "for_" + "A" * 107,
        lambda _token: "x",
        lambda _token: "for_Ä",
    ],
)
def test_forged_tokens_are_refused(api, forged):
    person = registered(api)
    answer = refresh(api, forged(person.refresh_token))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_family_ends_nothing(api):
    person = registered(api)
    forged = person.refresh_token[:30] + "AAAA" + person.refresh_token[34:]
    assert refresh(api, forged).status_code == 401
    assert refresh(api, person.refresh_token).status_code == 200


def test_signing_out_ends_access_tokens_too(api):
    person = registered(api)
    other = logged_in(api, person)
    body = {"refresh_token": person.refresh_token}
    assert api.post("/v1/auth/logout", json=body).status_code == 204
    assert api.get("/v1/me", headers=person.headers).status_code == 401
    assert refresh(api, person.refresh_token).status_code == 401
    assert api.get("/v1/me", headers=other.headers).status_code == 200
    assert api.post("/v1/auth/logout", json=body).status_code == 204
    assert api.post("/v1/auth/logout", json={"refresh_token": "none"}).status_code == 204


def test_signing_out_everywhere_asks_for_a_proof_and_ends_all(api):
    person = registered(api)
    other = logged_in(api, person)
    refused = api.post("/v1/auth/logout-all", headers=person.headers)
    assert refused.status_code == 401
    assert refused.json()["type"].endswith("/step-up-required")
    headers = stepped_up(api, person)
    assert api.post("/v1/auth/logout-all", headers=headers).status_code == 204
    for each in (person.headers, other.headers, headers):
        assert api.get("/v1/me", headers=each).status_code == 401
    assert refresh(api, other.refresh_token).status_code == 401
    again = logged_in(api, person)
    assert api.get("/v1/me", headers=again.headers).status_code == 200


def test_sessions_are_listed_and_ended_one_by_one(api):
    person = registered(api)
    body = {"email": person.email, "password": PASSWORD}
    headers = {"User-Agent": "Firefox\x07 on a phone"}
    other = person.having(api.post("/v1/auth/login", json=body, headers=headers).json())
    listed = api.get("/v1/auth/sessions", headers=person.headers).json()["sessions"]
    assert [set(each) for each in listed] == [
        {"id", "ip", "user_agent", "created_at", "last_seen_at", "current"}
    ] * 2
    [phone] = [each for each in listed if not each["current"]]
    assert phone["user_agent"] == "Firefox on a phone"
    stranger = newcomer(api)
    path = f"/v1/auth/sessions/{phone['id']}"
    assert api.delete(path, headers=stranger.headers).status_code == 404
    assert api.get("/v1/me", headers=other.headers).status_code == 200
    assert api.delete(path, headers=person.headers).status_code == 204
    assert api.delete(path, headers=person.headers).status_code == 404
    assert api.get("/v1/me", headers=other.headers).status_code == 401
    assert api.delete("/v1/auth/sessions/none", headers=person.headers).status_code == 422
    assert len(api.get("/v1/auth/sessions", headers=person.headers).json()["sessions"]) == 1


def test_sessions_end_by_age(api):
    person = registered(api)
    sql(api, "UPDATE auth_sessions SET expires_at = now() - interval '1 second'")
    assert api.get("/v1/me", headers=person.headers).status_code == 401
    assert refresh(api, person.refresh_token).status_code == 401
