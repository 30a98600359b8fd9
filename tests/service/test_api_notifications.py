"""Notifications over HTTP: of the end of jobs, once; read, chosen; and feedback."""

import asyncio
import uuid

import psycopg
import pytest
from api_world import api, database_url_of, newcomer, sql

from api.mail.rendering import TEMPLATES
from models.domain.jobs import Job, JobKind, JobStatus
from tasks.ledger.ledger import Ledger

__all__ = ["api"]

pytestmark = pytest.mark.service

VIEW = {"id", "kind", "title", "body", "data", "read_at", "created_at"}


def ended_job(api, who, *, status=JobStatus.COMPLETED, kind=JobKind.ORGANIZE, launch=False):
    ledger = Ledger(database_url_of(api))
    root = ledger.root_for(f"file:///{uuid.uuid4()}", account_id=who.id).id
    job = Job(
        id=str(uuid.uuid4()),
        kind=kind,
        account_id=who.id,
        status=JobStatus.PENDING,
        source_url="file:///in",
        destination_url="file:///in",
        source_root_id=root,
        destination_root_id=root,
    )
    ledger.create_job(job, launch=launch)
    ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.set_progress(job.id, phase="moving", progress_ratio=0.5, files_processed=7)
    ledger.set_status(job.id, status)
    return ledger, job.id


def listed(api, who, **query):
    return api.get("/v1/notifications", params=query, headers=who.headers).json()


def test_the_end_of_a_job_is_told_once_for_each_attempt_in_the_product_and_by_mail(api):
    who = newcomer(api)
    ledger, job_id = ended_job(api, who, status=JobStatus.FAILED)
    answer = listed(api, who)
    assert set(answer) == {"notifications", "unread_count", "pagination"}
    (told,) = answer["notifications"]
    assert set(told) == VIEW
    assert (told["kind"], told["title"]) == ("job.failed", "Organizing failed")
    assert told["body"] == "7 files dealt with, 0 moved, 0 errors"
    assert told["data"]["job_id"] == job_id
    assert answer["unread_count"] == 1
    ledger.retry(job_id)
    ledger.set_status(job_id, JobStatus.RUNNING)
    ledger.set_status(job_id, JobStatus.COMPLETED)
    kinds = [each["kind"] for each in listed(api, who)["notifications"]]
    assert kinds == ["job.completed", "job.failed"]
    mails = sql(api, "SELECT recipient, template FROM outgoing_mails WHERE user_id = %s", who.id)
    assert mails == [(who.email, "job_ended")] * 2
    assert (TEMPLATES / "job_ended.txt").is_file()
    events = sql(
        api,
        "SELECT event_data ->> 'status' FROM analytics_events"
        " WHERE event_type = 'job.ended' AND user_id = %s ORDER BY created_at",
        who.id,
    )
    assert events == [("failed",), ("completed",)]


def test_upkeep_is_nobodys_news_and_a_scan_that_was_asked_for_is(api):
    who = newcomer(api)
    ended_job(api, who, kind=JobKind.REINDEX)
    assert listed(api, who)["notifications"] == []
    ended_job(api, who, kind=JobKind.REINDEX, launch=True)
    assert [each["title"] for each in listed(api, who)["notifications"]] == [
        "Looking for duplicates is done"
    ]


def test_preferences_decide_how_one_is_told(api):
    who = newcomer(api)
    path = "/v1/notifications/preferences"
    everything = {"in_app": True, "email": True}
    before = api.get(path, headers=who.headers).json()
    assert before == {"preferences": dict.fromkeys(("jobs", "security", "product"), everything)}
    nothing = {"in_app": False, "email": False}
    after = api.put(path, json={"jobs": nothing}, headers=who.headers).json()
    assert after["preferences"] == {**before["preferences"], "jobs": nothing}
    assert api.put(path, json={"security": nothing}, headers=who.headers).status_code == 422
    ended_job(api, who)
    assert listed(api, who)["notifications"] == []
    assert sql(api, "SELECT 1 FROM outgoing_mails") == []


def test_nobody_who_did_not_confirm_an_address_gets_mail(api):
    who = newcomer(api, is_verified=False)
    ended_job(api, who)
    assert len(listed(api, who)["notifications"]) == 1
    assert sql(api, "SELECT 1 FROM outgoing_mails") == []


def test_reading_one_and_all_and_going_through_the_list(api):
    who = newcomer(api)
    for _ in range(3):
        ended_job(api, who)
    first = listed(api, who, limit=2)
    rest = listed(api, who, limit=2, cursor=first["pagination"]["next_cursor"])
    ids = [each["id"] for part in (first, rest) for each in part["notifications"]]
    assert len(set(ids)) == 3
    assert rest["pagination"]["next_cursor"] is None
    path = f"/v1/notifications/{ids[0]}"
    read = api.patch(path, json={"read": True}, headers=who.headers).json()["notification"]
    assert read["read_at"]
    again = api.patch(path, json={"read": True}, headers=who.headers).json()["notification"]
    assert again["read_at"] == read["read_at"]
    assert listed(api, who)["unread_count"] == 2
    assert [each["id"] for each in listed(api, who, unread=True)["notifications"]] == ids[1:]
    done = api.post("/v1/notifications/read-all", headers=who.headers).json()
    assert done == {"unread_count": 0}
    assert listed(api, who, cursor="bm90aGluZw").get("status") == 422


def test_another_account_reads_and_marks_nothing(api):
    mine, other = newcomer(api), newcomer(api)
    ended_job(api, mine)
    (told,) = listed(api, mine)["notifications"]
    assert listed(api, other)["notifications"] == []
    path = f"/v1/notifications/{told['id']}"
    assert api.patch(path, json={"read": True}, headers=other.headers).status_code == 404
    api.post("/v1/notifications/read-all", headers=other.headers)
    assert listed(api, mine)["unread_count"] == 1


def test_feedback_is_stored_and_its_score_alone_becomes_an_event(api):
    who = newcomer(api)
    answer = api.post("/v1/feedback", json={"score": 9, "comment": "good"}, headers=who.headers)
    assert answer.status_code == 201
    assert set(answer.json()["feedback"]) == {"id", "score", "comment", "created_at"}
    rows = sql(api, "SELECT event_data FROM analytics_events WHERE event_type = 'feedback'")
    assert rows == [({"score": 9},)]
    for wrong in ({"score": 11}, {"score": -1}, {"score": "9"}, {"score": 5, "more": 1}, {}):
        assert api.post("/v1/feedback", json=wrong, headers=who.headers).status_code == 422


def test_a_notice_wakes_who_listens(api):
    who = newcomer(api)

    async def heard():
        async with await psycopg.AsyncConnection.connect(
            database_url_of(api), autocommit=True
        ) as connection:
            await connection.execute("LISTEN notifications")
            await asyncio.to_thread(ended_job, api, who)
            async for notice in connection.notifies(timeout=30, stop_after=1):
                return notice.payload
        return ""

    account, notice_id = asyncio.run(heard()).split(":")
    assert account == who.id
    assert notice_id == listed(api, who)["notifications"][0]["id"]
