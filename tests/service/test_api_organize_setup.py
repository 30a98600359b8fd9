"""Rules and schedules: set up, limited, and each due time made into one job."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from api_world import api, app_of, newcomer, sql
from test_api_organize import BODY, ask, create, problem

from api.organize.scheduling import make_due
from api.organize.timing import next_due
from api.shell.database import make_engine
from models.domain.errors import InvalidError
from models.entitlements import price_list

__all__ = ["api"]
pytestmark = pytest.mark.service

RULE = {
    "when": {"extensions": ["pdf"], "name_matches": ["*invoice*"]},
    "then": {"template": "Invoices/{year}/{stem}{ext}"},
    "priority": 5,
}
SCHEDULE = {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "job_template": BODY}


@pytest.fixture
def someone(api):
    return newcomer(api, plan="pro")


def test_rules_are_kept_in_order_and_taken_along_by_jobs(api, someone):
    later = ask(api, someone, "POST", "/rules", json={**RULE, "priority": 9}).json()["rule"]
    answer = ask(api, someone, "POST", "/rules", json=RULE)
    assert answer.status_code == 201
    rule = answer.json()["rule"]
    assert rule == {**RULE, "id": rule["id"]}
    listed = ask(api, someone, "GET", "/rules").json()
    assert [each["id"] for each in listed["rules"]] == [rule["id"], later["id"]]
    changed = {**RULE, "then": {"stay": True}}
    assert ask(api, someone, "PUT", f"/rules/{rule['id']}", json=changed).status_code == 200
    assert ask(api, someone, "DELETE", f"/rules/{later['id']}").status_code == 204
    job_id = create(api, someone)
    query = "SELECT options -> 'rules' FROM organization_jobs WHERE id = %s"
    [(rules,)] = sql(api, query, job_id)
    assert [(each["id"], each["then"]["stay"]) for each in rules] == [(rule["id"], True)]
    for nonsense in (
        {"when": {}},
        {"when": {"color": "red"}},
        {"then": {}},
        {"then": {"template": "../{stem}{ext}"}},
        {"then": {"template": "{counter}{ext}"}},
        {"priority": -1},
        {"more": 1},
    ):
        problem(ask(api, someone, "POST", "/rules", json={**RULE, **nonsense}), 422)


def test_a_rule_is_tried_on_files_without_being_kept(api, someone):
    root = (
        "WITH r AS (INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'managed', 'm://m')"
        " RETURNING user_id, id) INSERT INTO files (user_id, filename, storage_path, root_id,"
        " storage_key, storage_version, file_size_bytes, modified_ns) SELECT user_id, n, n, id, n,"
        " '', 7, 0 FROM r, unnest(ARRAY['my invoice.pdf', 'letter.pdf', 'invoice.txt']) AS n"
    )
    sql(api, root, someone.id)
    answer = ask(api, someone, "POST", "/rules/test", json=RULE)
    assert answer.json() == {"test": {"looked_at": 3, "matches": 1, "sample": ["my invoice.pdf"]}}
    assert ask(api, someone, "GET", "/rules").json()["rules"] == []


def test_schedules_are_checked_and_limited_by_the_plan(api, someone):
    problem(ask(api, newcomer(api), "POST", "/schedules", json=SCHEDULE), 402)
    answer = ask(api, someone, "POST", "/schedules", json=SCHEDULE)
    assert answer.status_code == 201, answer.text
    made = answer.json()["schedule"]
    assert datetime.fromisoformat(made["next_due_at"]) > datetime.now(UTC)
    assert made["job_template"]["source_path"] == BODY["source_path"]
    for nonsense in (
        {"cron": "0 3 * *"},
        {"cron": "0 0 3 * * *"},
        {"cron": "0 3 30 2 *"},
        {"cron": "@daily"},
        {"timezone": "Mars/Base"},
        {"timezone": "../etc/passwd"},
        {"job_template": {**BODY, "source_path": "/etc"}},
        {"job_template": {**BODY, "preview_id": made["id"]}},
    ):
        problem(ask(api, someone, "POST", "/schedules", json={**SCHEDULE, **nonsense}), 422)
    path = f"/schedules/{made['id']}"
    rests = ask(api, someone, "PATCH", path, json={"is_active": False, "cron": "5 4 * * *"})
    assert rests.json()["schedule"]["is_active"] is False
    assert ask(api, someone, "GET", "/schedules").json()["schedules"][0]["cron"] == "5 4 * * *"
    for _ in range(price_list().plan("pro").limits["schedules"] - 1):
        assert ask(api, someone, "POST", "/schedules", json=SCHEDULE).status_code == 201
    problem(ask(api, someone, "POST", "/schedules", json=SCHEDULE), 402)
    assert ask(api, someone, "DELETE", path).status_code == 204
    problem(ask(api, someone, "DELETE", path), 404)


def due_now(api, schedule_id):
    sql(
        api,
        "UPDATE schedules SET next_due_at = now() - interval '3 days' WHERE id = %s",
        schedule_id,
    )


def looked(api, times):
    """Whether something was due, for each of some processes that look at the same time."""
    settings = app_of(api).state.settings

    async def look():
        engine = make_engine(settings)
        try:
            return await asyncio.gather(*(make_due(engine, settings) for _ in range(times)))
        finally:
            await engine.dispose()

    return asyncio.run(look())


def jobs_of(api, schedule_id):
    return sql(
        api,
        "SELECT j.id::text, o.payload ->> 'deployment' FROM organization_jobs j"
        " JOIN outbox_events o ON o.job_id = j.id WHERE j.schedule_id = %s",
        schedule_id,
    )


def test_a_due_time_is_one_job_however_many_look(api, someone):
    made = ask(api, someone, "POST", "/schedules", json=SCHEDULE).json()["schedule"]
    due_now(api, made["id"])
    looked(api, 8)
    [(job_id, deployment)] = jobs_of(api, made["id"])
    assert deployment == "organize/organize"
    shown = ask(api, someone, "GET", "/schedules").json()["schedules"][0]
    assert (shown["last_job_id"], shown["last_error"]) == (job_id, None)
    assert datetime.fromisoformat(shown["next_due_at"]) > datetime.now(UTC)
    assert ask(api, someone, "GET", f"/jobs/{job_id}").json()["job"]["status"] == "pending"


def test_what_the_account_may_not_have_is_told_and_does_not_stop_the_schedule(api, someone):
    made = ask(api, someone, "POST", "/schedules", json=SCHEDULE).json()["schedule"]
    sql(api, "UPDATE users SET subscription_tier = 'free' WHERE id = %s", someone.id)
    due_now(api, made["id"])
    looked(api, 1)
    assert jobs_of(api, made["id"]) == []
    shown = ask(api, someone, "GET", "/schedules").json()["schedules"][0]
    assert "schedules" in shown["last_error"]
    assert datetime.fromisoformat(shown["next_due_at"]) > datetime.now(UTC)
    sql(api, "UPDATE users SET subscription_tier = 'pro' WHERE id = %s", someone.id)
    due_now(api, made["id"])
    looked(api, 1)
    assert len(jobs_of(api, made["id"])) == 1


def test_an_odd_schedule_does_not_stop_the_others(api, someone):
    odd, gone, good = (
        ask(api, someone, "POST", "/schedules", json=SCHEDULE).json()["schedule"]["id"]
        for _ in range(3)
    )
    sql(api, "UPDATE schedules SET job_template = '[]' WHERE id = %s", odd)
    sql(api, "UPDATE schedules SET timezone = 'Mars/Base' WHERE id = %s", gone)
    for each in (odd, gone, good):
        due_now(api, each)
    for _ in range(3):
        looked(api, 1)
    assert [len(jobs_of(api, each)) for each in (odd, gone, good)] == [0, 1, 1]
    query = "SELECT is_active, last_error FROM schedules WHERE id = %s"
    assert sql(api, query, odd) == [(True, "the template is no job any more")]
    [(is_active, error)] = sql(api, query, gone)
    assert not is_active
    assert "IANA" in error


def test_due_times_follow_the_clock_of_their_place():
    def due(cron, after, timezone="Europe/Berlin"):
        moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
        return next_due(cron, timezone, moment).strftime("%m-%d %H:%M")

    assert due("0 3 * * *", "2026-01-10T12:00") == "01-11 02:00"
    assert due("0 3 * * *", "2026-07-10T12:00") == "07-11 01:00"
    # 02:30 does not exist on March 29 of 2026, and exists twice on October 25.
    assert due("30 2 * * *", "2026-03-28T12:00") == "03-29 01:00"
    assert due("30 2 * * *", "2026-10-24T12:00") == "10-25 00:30"
    assert due("30 2 * * *", "2026-10-25T00:30") == "10-26 01:30"
    with pytest.raises(InvalidError):
        due("0 3 30 2 *", "2026-01-01T00:00")


def test_one_key_fifty_times_in_parallel_is_one_job_and_one_launch(api):
    someone = newcomer(api, plan="enterprise")
    headers = someone.headers | {"Idempotency-Key": "the-same-wish"}

    def wish(_):
        return api.post("/v1/organize/jobs", headers=headers, json=BODY)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(wish, range(50)))
    assert {answer.status_code for answer in answers} == {202}
    [job_id] = {answer.json()["job"]["id"] for answer in answers}
    assert {answer.headers["location"] for answer in answers} == {f"/v1/organize/jobs/{job_id}"}
    query = "SELECT j.id::text, o.launch_no FROM organization_jobs j"
    assert sql(api, f"{query} JOIN outbox_events o ON o.job_id = j.id") == [(job_id, 1)]
