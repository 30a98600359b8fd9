"""The account itself: profile, address, preferences, entitlements, usage, audit log."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from account_world import (
    PASSWORD,
    actions,
    api,
    logged_in,
    mailed_token,
    mails,
    registered,
    stepped_up,
)
from api_world import database_url_of, newcomer, sql
from psycopg.rows import dict_row

from models.domain.audit import AuditEntry, first_break
from models.entitlements import price_list

__all__ = ["api"]

pytestmark = pytest.mark.service

PROFILE = {
    "id",
    "email",
    "username",
    "subscription_tier",
    "full_name",
    "avatar_url",
    "is_verified",
    "mfa_enabled",
    "created_at",
    "last_login_at",
    "deletion_scheduled_for",
}


def patch(api, person, **body):
    return api.patch("/v1/me", json=body, headers=person.headers)


def test_every_operation_asks_for_a_token(api):
    for method, path in (
        ("GET", "/v1/me"),
        ("PATCH", "/v1/me"),
        ("POST", "/v1/me/email"),
        ("GET", "/v1/me/entitlements"),
        ("GET", "/v1/me/usage"),
        ("GET", "/v1/me/preferences"),
        ("PATCH", "/v1/me/preferences"),
        ("GET", "/v1/me/audit-log"),
    ):
        answer = api.request(method, path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_profile_changes_by_what_was_sent_alone(api):
    person = registered(api)
    sql(api, "UPDATE users SET updated_at = '2020-01-01' WHERE id = %s", person.id)
    found = api.get("/v1/me", headers=person.headers).json()
    assert found.keys() == {"user"}
    assert found["user"].keys() == PROFILE
    answer = patch(
        api,
        person,
        full_name="Jo",
        subscription_tier="enterprise",
        email="other@example.com",
        is_verified=True,
        id="0",
    )
    assert answer.status_code == 200
    assert answer.json()["user"] == found["user"] | {"full_name": "Jo"}
    picture = "https://example.com/jo.png"
    changed = patch(api, person, avatar_url=picture, username="jo.doe").json()["user"]
    assert changed == found["user"] | {
        "full_name": "Jo",
        "avatar_url": picture,
        "username": "jo.doe",
    }
    assert patch(api, person, full_name=None).json()["user"]["full_name"] is None
    assert patch(api, person).json()["user"]["username"] == "jo.doe"
    assert actions(api, person.id).count("account.profile_changed") == 3
    assert sql(api, "SELECT updated_at > '2020-01-01' FROM users WHERE id = %s", person.id) == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "TAKEN"}, 409),
        ({"username": "a b"}, 422),
        ({"username": None}, 422),
        ({"avatar_url": "javascript:alert(1)"}, 422),
        ({"avatar_url": "file:///etc/passwd"}, 422),
        ({"avatar_url": "https://example.com/" + "x" * 2000}, 422),
        ({"full_name": "x" * 256}, 422),
    ],
)
def test_what_a_profile_may_not_become(api, body, status):
    registered(api, "taken")
    person = registered(api)
    before = api.get("/v1/me", headers=person.headers).json()
    assert patch(api, person, **body).status_code == status
    assert api.get("/v1/me", headers=person.headers).json() == before


def test_another_address_is_used_once_it_was_confirmed(api):
    person = registered(api)
    old_link = mailed_token(api, "verify_email")
    body = {"new_email": "new@example.com"}
    refused = api.post("/v1/me/email", json=body, headers=person.headers)
    assert refused.json()["type"].endswith("/step-up-required")
    headers = stepped_up(api, person)
    assert api.post("/v1/me/email", json=body, headers=headers).status_code == 202
    told = {template: recipient for template, recipient, _ in mails(api)}
    assert told["confirm_new_email"] == "new@example.com"
    assert told["email_changing"] == person.email
    me = api.get("/v1/me", headers=person.headers).json()["user"]
    assert me["email"] == person.email
    token = mailed_token(api, "confirm_new_email")
    answer = api.post("/v1/auth/verify-email", json={"token": token})
    assert answer.json()["user"]["email"] == "new@example.com"
    assert mails(api)[-1][:2] == ("email_changed", person.email)
    assert api.post("/v1/auth/verify-email", json={"token": old_link}).status_code == 422
    old = {"email": person.email, "password": PASSWORD}
    assert api.post("/v1/auth/login", json=old).status_code == 401
    new = {"email": "NEW@example.com", "password": PASSWORD}
    assert api.post("/v1/auth/login", json=new).status_code == 200


def test_an_address_of_somebody_else_is_told_by_its_mailbox_alone(api):
    registered(api, "somebody")
    person = registered(api)
    headers = stepped_up(api, person)
    body = {"new_email": "Somebody@example.com"}
    assert api.post("/v1/me/email", json=body, headers=headers).status_code == 202
    token = mailed_token(api, "confirm_new_email")
    assert api.post("/v1/auth/verify-email", json={"token": token}).status_code == 409
    own = {"new_email": person.email.upper()}
    assert api.post("/v1/me/email", json=own, headers=headers).status_code == 422
    assert api.get("/v1/me", headers=person.headers).json()["user"]["email"] == person.email


def test_preferences_have_defaults_and_consents_have_a_history(api):
    person = registered(api)
    found = api.get("/v1/me/preferences", headers=person.headers).json()
    assert found == {
        "preferences": {
            "theme": "system",
            "locale": "en",
            "timezone": "UTC",
            "default_mode": "category_year",
            "default_operation": "move",
            "marketing_emails": False,
            "product_analytics": False,
        }
    }

    def change(**body):
        return api.patch("/v1/me/preferences", json=body, headers=person.headers)

    changed = change(theme="dark", timezone="Europe/Vienna", marketing_emails=True)
    assert changed.status_code == 200
    expected = found["preferences"] | {
        "theme": "dark",
        "timezone": "Europe/Vienna",
        "marketing_emails": True,
    }
    assert changed.json()["preferences"] == expected
    assert change(locale="de-AT", theme=None).json()["preferences"] == expected | {
        "locale": "de-AT"
    }
    assert change(marketing_emails=True).status_code == 200  # as it is: nothing new was decided
    assert change(marketing_emails=False).json()["preferences"]["marketing_emails"] is False
    history = sql(
        api, "SELECT kind, is_granted FROM consents WHERE user_id = %s ORDER BY id", person.id
    )
    assert history == [("terms", True), ("marketing", True), ("marketing", False)]
    for wrong in (
        {"theme": "pink"},
        {"timezone": "Mars/Olympus"},
        {"default_mode": "nonsense"},
        {"default_operation": "delete"},
        {"locale": "x" * 36},
    ):
        assert change(**wrong).status_code == 422, wrong


def test_entitlements_are_those_of_the_price_list(api):
    for plan in ("free", "pro", "business", "enterprise"):
        person = newcomer(api, plan=plan)
        found = api.get("/v1/me/entitlements", headers=person.headers).json()
        assert found.keys() == {"plan", "features", "limits"}
        assert found["plan"] == plan
        expected = price_list().plan(plan)
        assert found["limits"] == dict(expected.limits)
        assert found["features"] == dict(expected.features)


def test_usage_counts_what_is_limited(api):
    person = newcomer(api)
    usage = api.get("/v1/me/usage", headers=person.headers).json()["usage"]
    assert {name: use["used"] for name, use in usage.items()} == dict.fromkeys(usage, 0)
    assert usage["storage_bytes"] == {"used": 0, "limit": 5_000_000_000, "resets_at": None}
    sql(
        api,
        "UPDATE users SET storage_used_bytes = 7, storage_reserved_bytes = 2 WHERE id = %s",
        person.id,
    )
    sql(
        api,
        "INSERT INTO usage_counters (user_id, metric, period_start, used) VALUES"
        " (%s, 'uploads_per_day', (now() AT TIME ZONE 'UTC')::date, 3),"
        " (%s, 'uploads_per_day', (now() AT TIME ZONE 'UTC')::date - 1, 9)",
        person.id,
        person.id,
    )
    sql(api, "INSERT INTO file_tags (user_id, tag_name) VALUES (%s, 'a')", person.id)
    usage = api.get("/v1/me/usage", headers=person.headers).json()["usage"]
    assert usage["storage_bytes"]["used"] == 9
    assert usage["uploads_per_day"]["used"] == 3
    assert usage["tags"] == {"used": 1, "limit": 20, "resets_at": None}
    midnight = datetime.fromisoformat(usage["uploads_per_day"]["resets_at"])
    assert timedelta(0) < midnight - datetime.now(UTC) <= timedelta(days=1)
    month = datetime.fromisoformat(usage["organize_jobs_per_month"]["resets_at"])
    assert month.day == 1
    stranger = newcomer(api)
    others = api.get("/v1/me/usage", headers=stranger.headers).json()["usage"]
    assert others["storage_bytes"]["used"] == 0


def entries_of(api, account_id):
    with psycopg.connect(database_url_of(api), row_factory=dict_row) as connection:
        names = ", ".join(AuditEntry.__dataclass_fields__)
        rows = connection.execute(
            f"SELECT {names} FROM audit_log WHERE user_id = %s ORDER BY seq", (account_id,)
        ).fetchall()
    return [AuditEntry(**row | {"ip": row["ip"] and str(row["ip"])}) for row in rows]


def test_the_audit_log_is_a_chain_that_shows_what_was_changed(api):
    person = registered(api)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: patch(api, person, full_name=f"Jo {n}").status_code, range(16))
        assert set(found) == {200}
    entries = entries_of(api, person.id)
    assert len(entries) == 17
    assert first_break(person.id, entries) is None
    sql(api, "UPDATE audit_log SET action = 'nothing' WHERE user_id = %s AND seq = 9", person.id)
    assert first_break(person.id, entries_of(api, person.id)) == 9


def test_the_audit_log_is_listed_in_parts_and_by_what_happened(api):
    person = registered(api)
    for number in range(4):
        patch(api, person, full_name=f"Jo {number}")
    logged_in(api, person)

    def listed(who=person, **query):
        answer = api.get("/v1/me/audit-log", params=query, headers=who.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    everything = listed()["events"]
    assert [set(each) for each in everything] == [
        {"id", "at", "actor", "action", "target", "ip", "hash"}
    ] * 6
    assert everything[0]["action"] == "session.signed_in"
    assert {each["actor"] for each in everything} == {person.id}
    parts, cursor = [], None
    while True:
        part = listed(limit=4, **({"cursor": cursor} if cursor else {}))
        parts.append(part["events"])
        cursor = part["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert parts == [everything[:4], everything[4:]]
    assert len(listed(action="account.profile_changed")["events"]) == 4
    middle = everything[3]["at"]
    assert listed(**{"from": middle})["events"] == everything[:4]
    assert listed(to=middle)["events"] == everything[4:]
    assert listed(newcomer(api))["events"] == []
    for query in ({"cursor": "WyJ4Il0"}, {"from": "yesterday"}, {"from": "2026-01-01T00:00:00"}):
        answer = api.get("/v1/me/audit-log", params=query, headers=person.headers)
        assert answer.status_code == 422, query
