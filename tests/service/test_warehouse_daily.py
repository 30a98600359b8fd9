"""Days are recorded from Postgres once, and the KPIs are counted from them."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from models.domain.errors import InvalidError
from models.domain.warehouse_daily import Day
from models.domain.warehouse_rows import RunStatus
from tasks.ledger.ledger import Ledger
from tasks.publish.daily import days_to_record, record_day
from warehouse.asking import ask
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service

MONDAY = Day.named("2026-03-02")
TUESDAY = Day.named("2026-03-03")
PERSON = """INSERT INTO users (id, email, username, password_hash, subscription_tier, created_at,
    deleted_at) VALUES (%s, %s, %s, '!', %s, %s, %s)"""
SUBSCRIPTION = """INSERT INTO subscriptions (user_id, plan_id, status, interval, created_at)
    VALUES (%s, %s, %s, %s, %s)"""
JOB = """INSERT INTO organization_jobs (user_id, source_path, destination_path, source_root_id,
    destination_root_id, organization_mode, operation_type, kind, status, created_at, started_at,
    completed_at) VALUES (%s, 'file:///x', 'file:///x', %s, %s, 'category', 'move', %s, %s, %s, %s,
    %s)"""
FILE = """INSERT INTO files (user_id, filename, storage_path, file_size_bytes, root_id, storage_key,
    storage_version, modified_ns) VALUES (%s, 'a', 'p', %s, %s, %s, 'v', 0)"""


@pytest.fixture
def lake(tmp_path):
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def people(database_url):
    """Three accounts (pro, business, free), an erased one, and what they did on Monday."""
    ledger = Ledger(database_url)
    local = ledger.local_account()
    ids = [str(uuid.UUID(int=n + 100)) for n in range(4)]
    noon = MONDAY.start + timedelta(hours=12)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE users SET created_at = %s", [noon])
        for n, tier in enumerate(("pro", "business", "free", "free")):
            made = noon if n == 2 else MONDAY.start - timedelta(days=9)
            gone = noon if n == 3 else None
            connection.execute(PERSON, [ids[n], f"{n}@x.org", f"p{n}", tier, made, gone])
        for n, plan in enumerate(("pro", "business")):
            connection.execute(SUBSCRIPTION, [ids[n], plan, "active", "month", noon])
        for score in (10, 9, 7, 0):
            connection.execute(
                "INSERT INTO analytics_events (event_type, event_data, created_at) "
                "VALUES ('feedback', jsonb_build_object('score', %s::int), %s)",
                [score, noon],
            )
        for buckets in ({"8": 50}, {"8": 30, "41": 18, "42": 2}):
            data = json.dumps({"requests": 50, "errors": 1, "buckets": buckets})
            connection.execute(
                "INSERT INTO analytics_events (event_type, event_data, created_at) "
                "VALUES ('api.latency', %s::jsonb, %s)",
                [data, noon],
            )
    root = ledger.root_for("file:///x", account_id=ids[0]).id
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        for n, size in enumerate((3_000_000_000, 2_000_000_000)):
            connection.execute(FILE, [ids[0], size, root, str(n)])
        for n, status in enumerate(("completed", "completed", "completed", "failed", "canceled")):
            end = noon + timedelta(seconds=10 * (n + 1))
            job = [local if n == 0 else ids[0], root, root, "organize", status, noon, noon, end]
            connection.execute(JOB, job)
    return ids


def record(database_url, lake, day):
    now = day.end + timedelta(minutes=20)
    return record_day(lake, Ledger(database_url), day, now=now)


def kpis(lake):
    answer = ask(lake, "FROM kpi_daily ORDER BY day")
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def test_the_figures_of_a_day_are_those_of_postgres(database_url, lake, people):
    marker = record(database_url, lake, MONDAY)
    assert (marker.status, marker.reasons) == (RunStatus.PUBLISHED, None)
    (monday,) = kpis(lake)
    assert monday == {
        "day": "2026-03-02",
        "signups": 1,
        "accounts": 3,
        "paying_accounts": 2,
        "conversion_ratio": pytest.approx(2 / 3),
        "mrr_cents": 999 + 2999,
        "arr_cents": 12 * (999 + 2999),
        "unpriced_subscriptions": 0,
        "churned": 0,
        "churn_ratio": None,
        "gb_per_account": pytest.approx(5 / 3),
        "jobs": 5,
        "job_success_ratio": pytest.approx(3 / 4),
        "job_p50_s": pytest.approx(20),
        "job_p95_s": pytest.approx(29),
        "job_p99_s": pytest.approx(29.8),
        "api_requests": 100,
        "api_p50_ms": pytest.approx(2**2),
        "api_p95_ms": pytest.approx(2 ** (41 / 4)),
        "api_p99_ms": pytest.approx(2 ** (42 / 4)),
        "nps": pytest.approx(25),
    }


def test_who_stops_paying_is_churn(database_url, lake, people):
    record(database_url, lake, MONDAY)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE subscriptions SET status = 'canceled' WHERE plan_id = 'pro'")
        connection.execute("UPDATE subscriptions SET interval = 'year' WHERE plan_id = 'business'")
    record(database_url, lake, TUESDAY)
    tuesday = kpis(lake)[1]
    assert (tuesday["churned"], tuesday["churn_ratio"]) == (1, 0.5)
    assert (tuesday["mrr_cents"], tuesday["unpriced_subscriptions"]) == (0, 1)
    assert (tuesday["jobs"], tuesday["job_p50_s"], tuesday["nps"]) == (0, None, None)
    assert (tuesday["api_requests"], tuesday["api_p99_ms"]) == (0, None)


def test_a_day_is_recorded_once_and_only_when_it_is_over(database_url, lake, people):
    first = record(database_url, lake, MONDAY)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("DELETE FROM files")
    assert record(database_url, lake, MONDAY) == first
    assert ask(lake, "SELECT count(*) FROM fact_usage_daily").rows == ((5,),)
    with pytest.raises(InvalidError, match="not over"):
        record_day(lake, Ledger(database_url), MONDAY, now=MONDAY.end - timedelta(seconds=1))
    with pytest.raises(InvalidError, match="YYYY-MM-DD"):
        Day.named("2.3.2026")


def test_missed_days_are_caught_up(database_url, lake):
    now = datetime(2026, 3, 5, 0, 20, tzinfo=UTC)
    assert [day.name for day in days_to_record(lake, now=now)][-3:] == [
        "2026-03-02",
        "2026-03-03",
        "2026-03-04",
    ]
    for day in days_to_record(lake, now=now):
        assert record_day(lake, Ledger(database_url), day, now=now).status == RunStatus.PUBLISHED
    assert days_to_record(lake, now=now) == []
    assert [row["accounts"] for row in kpis(lake)] == [0] * 7


def test_rows_that_do_not_add_up_put_the_day_into_quarantine(database_url, lake, people):
    class Miscounting(Ledger):
        def day_facts(self, day, *, stamp):
            import dataclasses

            facts = super().day_facts(day, stamp=stamp)
            return dataclasses.replace(facts, usage=facts.usage[1:])

    marker = record_day(lake, Miscounting(database_url), MONDAY, now=MONDAY.end)
    assert marker.status == RunStatus.QUARANTINED
    assert "jobs that ended and are of no account: 1" in str(marker.reasons)
    assert kpis(lake) == []
