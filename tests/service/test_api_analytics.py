"""The dashboard's figures are those of SQL and of the list of duplicates."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from api_world import api, api_settings, newcomer, sql
from starlette.testclient import TestClient

from api.app import create_app

__all__ = ["api"]

pytestmark = pytest.mark.service

CATEGORIES = ["Images", "Videos", "Documents", "Audio", "Others"]


def fill(api, who, *, copies=3, kind="connected"):
    [(root,)] = sql(
        api,
        "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, %s, 'file:///in')"
        " RETURNING id::text",
        who.id,
        kind,
    )
    for n in range(10):
        for copy in range(copies if n < 2 else 1):
            sql(
                api,
                "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path,"
                " storage_version, modified_ns, file_size_bytes, sha256_hash, hashed_at,"
                " coarse_category, category, created_at, last_job_id)"
                " VALUES (%s, %s, %s, 'n', 's', 'v', 0, %s, %s, now(), %s, %s,"
                " now() - %s * interval '1 day', %s)",
                who.id,
                root,
                f"folder {n % 3}/{n}-{copy}",
                1_000_000 * (n + 1),
                f"{n:064x}",
                CATEGORIES[n % 5],
                "Needs review" if n == 9 else None,
                n * 10,
                str(uuid.uuid4()),
            )
    sql(
        api,
        "UPDATE users SET storage_used_bytes = 1234567890 WHERE id = %s",
        who.id,
    )


def get(api, who, path, **query):
    return api.get(f"/v1/analytics/{path}", params=query, headers=who.headers)


def test_the_dashboard_to_the_letter(api):
    who, other = newcomer(api, plan="pro"), newcomer(api)
    fill(api, who)
    fill(api, other, copies=5)
    found = get(api, who, "dashboard").json()
    assert set(found) == {"storage", "files", "duplicates", "recent_activity"}
    assert found["storage"] == {
        "used_gb": pytest.approx(1.23456789, abs=1e-9),
        "quota_gb": 100.0,
        "percentage": pytest.approx(1.23456789, abs=1e-9),
    }
    assert set(found["files"]) == {"total_count", "by_category"}
    assert found["files"]["total_count"] == 14
    assert sum(found["files"]["by_category"].values()) == 14
    assert set(found["files"]["by_category"]) == set(CATEGORIES)
    duplicates = api.get(
        "/v1/duplicates", params={"similarity_threshold": 1}, headers=who.headers
    ).json()
    assert found["duplicates"] == {
        "count": duplicates["total_duplicates"],
        "space_wasted_gb": duplicates["total_space_wasted_gb"],
    }
    assert found["duplicates"]["count"] == 4


def test_unlimited_storage_has_neither_quota_nor_percentage(api):
    who = newcomer(api, plan="enterprise")
    assert get(api, who, "dashboard").json()["storage"] == {
        "used_gb": 0.0,
        "quota_gb": None,
        "percentage": None,
    }


def test_recent_activity_is_ones_own_newest_first_and_twenty_at_most(api):
    who, other = newcomer(api), newcomer(api)
    for n in range(30):
        sql(
            api,
            "INSERT INTO analytics_events (user_id, event_type, event_data, created_at)"
            " VALUES (%s, %s, '{}', now() + %s * interval '1 second')",
            who.id if n % 3 else other.id,
            "file.uploaded" if n % 2 else "api.latency",
            n,
        )
    found = get(api, who, "dashboard").json()["recent_activity"]
    times = [each["created_at"] for each in found]
    assert times == sorted(times, reverse=True)
    assert {each["type"] for each in found} == {"file.uploaded", "user.signed_up"}
    assert len(found) == 11
    assert {frozenset(each) for each in found} == {
        frozenset({"id", "type", "text", "data", "created_at"})
    }
    first = get(api, who, "activity", limit=6).json()
    rest = get(api, who, "activity", limit=6, cursor=first["pagination"]["next_cursor"]).json()
    assert [each["id"] for each in first["activity"] + rest["activity"]] == [
        each["id"] for each in found
    ]
    only = get(api, who, "activity", type="user.signed_up").json()["activity"]
    assert [each["type"] for each in only] == ["user.signed_up"]
    assert get(api, who, "activity", type="api.latency").status_code == 422


def test_sign_ups_and_uploads_become_events_and_what_a_job_publishes_does_not(api):
    who = newcomer(api)
    fill(api, who)
    [(root,)] = sql(api, "SELECT id::text FROM storage_roots WHERE user_id = %s", who.id)
    sql(
        api,
        "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path,"
        " storage_version, modified_ns, file_size_bytes)"
        " VALUES (%s, %s, 'u', 'u', 's', 'v', 0, 7)",
        who.id,
        root,
    )
    events = sql(
        api,
        "SELECT event_type, event_data ->> 'size_bytes' FROM analytics_events ORDER BY created_at",
    )
    assert events == [("user.signed_up", None), ("file.uploaded", "7")]


def test_storage_over_time_ends_at_what_there_is(api):
    who = newcomer(api)
    fill(api, who)
    sql(
        api,
        "UPDATE files SET deleted_at = now() - interval '3 days' WHERE storage_key LIKE '%%/9-0'",
    )
    found = get(api, who, "storage", interval="day").json()
    assert set(found) == {"interval", "storage"}
    points = found["storage"]
    assert len(points) == 30
    assert {frozenset(point) for point in points} == {
        frozenset(
            {
                "date",
                "files_count",
                "used_bytes",
                "added_files",
                "added_bytes",
                "removed_files",
            }
        )
    }
    [(files, size)] = sql(
        api, "SELECT count(*), sum(file_size_bytes) FROM files WHERE deleted_at IS NULL"
    )
    assert (points[-1]["files_count"], points[-1]["used_bytes"]) == (files, size)
    assert sum(point["removed_files"] for point in points) == 1
    for before, after in itertools.pairwise(points):
        came = after["added_files"] - after["removed_files"]
        assert after["files_count"] - before["files_count"] == came
    today = datetime.now(UTC).date()
    weeks = get(
        api,
        who,
        "storage",
        interval="week",
        **{"from": (today - timedelta(days=70)).isoformat(), "to": today.isoformat()},
    ).json()["storage"]
    assert weeks[-1]["files_count"] == files
    for wrong in (
        {"interval": "hour"},
        {"from": "2024-02-01", "to": "2024-01-01"},
        {"from": "2001-01-01"},
        {"from": "1999-01-01", "to": "1999-02-01"},
        {"from": "9999-12-31", "to": "9999-12-31"},
    ):
        assert get(api, who, "storage", **wrong).status_code == 422


def test_insights_are_of_ones_own_files_with_their_figures(api):
    who, other = newcomer(api, plan="pro"), newcomer(api)
    fill(api, who)
    found = get(api, who, "insights").json()["insights"]
    by_kind = {each["kind"]: each for each in found}
    assert set(by_kind) == {"duplicates", "largest_folder", "stale_files", "needs_review"}
    assert by_kind["duplicates"]["figures"]["files"] == 4
    assert by_kind["duplicates"]["figures"]["bytes"] == 6_000_000
    assert by_kind["largest_folder"]["figures"]["path"] == "folder 0"
    assert {frozenset(each) for each in found} == {frozenset({"kind", "text", "figures", "link"})}
    assert get(api, other, "insights").json()["insights"] == []


def test_without_a_token_nothing_is_answered(api):
    for path in ("dashboard", "storage", "activity", "insights"):
        assert api.get(f"/v1/analytics/{path}").status_code == 401


def test_times_of_answers_become_one_event_when_the_api_ends(database_url, tmp_path):
    with TestClient(create_app(api_settings(tmp_path, database_url))) as client:
        for _ in range(3):
            assert client.get("/v1/analytics/dashboard").status_code == 401
        client.get("/elsewhere")
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        ((data,),) = connection.execute(
            "SELECT event_data FROM analytics_events WHERE event_type = 'api.latency'"
        ).fetchall()
    assert (data["requests"], data["errors"], sum(data["buckets"].values())) == (3, 0, 3)
