"""The questions that endpoints ask are answered from indexes, on a table large enough to matter."""

import re

import psycopg
import pytest
from psycopg import sql

from api.shell.events import EXACT_GROUPS

pytestmark = pytest.mark.service

ROWS = 60_000
USERS = 300
EMPTY = 1.0
"""Cost up to which a scan is one of an empty partition."""

FILL = f"""
INSERT INTO users (email, username, password_hash, subscription_tier)
SELECT u || '@example.com', 'user' || u, 'x', CASE WHEN u % 100 = 0 THEN 'pro' ELSE 'free' END
  FROM generate_series(1, {USERS}) u;
INSERT INTO storage_roots (user_id, kind, url) SELECT id, 'connected', 'file:///in' FROM users;
CREATE TEMPORARY TABLE owners AS
SELECT row_number() OVER () - 1 AS n, r.user_id, r.id AS root_id FROM storage_roots r;
INSERT INTO files (user_id, root_id, storage_key, filename, storage_path, storage_version,
    modified_ns, file_size_bytes, category, md5_hash, sha256_hash, tags, created_at)
SELECT user_id, root_id, 'k' || f, 'n' || f, 's', 'v', 0, 1, 'category ' || f % 500,
       md5(f::text), md5(f::text) || md5(f::text), ARRAY['tag' || f % 1000],
       now() - f * interval '1 minute'
  FROM generate_series(1, {ROWS}) f JOIN owners ON n = f % {USERS};
INSERT INTO organization_jobs (user_id, source_path, destination_path, organization_mode,
    operation_type, source_root_id, destination_root_id, status, created_at)
SELECT user_id, 's', 's', 'category', 'move', root_id, root_id,
       CASE WHEN f % 500 = 0 THEN 'running' ELSE 'completed' END, now() - f * interval '1 minute'
  FROM generate_series(1, 20000) f JOIN owners ON n = f % {USERS};
INSERT INTO file_tags (user_id, tag_name)
SELECT user_id, 'tag' || t FROM owners, generate_series(1, 40) t;
INSERT INTO subscriptions (user_id, plan_id, stripe_subscription_id, status)
SELECT user_id, 'pro', 'sub_' || n || '-' || k, 'canceled'
  FROM owners, generate_series(1, 20) k;
INSERT INTO api_keys (user_id, key_hash, key_prefix, name)
SELECT user_id, 'hash' || n || '-' || k, 'fo_', 'key' FROM owners, generate_series(1, 20) k;
INSERT INTO analytics_events (user_id, event_type, created_at)
SELECT user_id, 'event ' || f % 400, now() - f * interval '20 seconds'
  FROM generate_series(1, 20000) f JOIN owners ON n = f % {USERS};
INSERT INTO notifications (user_id, kind, title, read_at)
SELECT user_id, 'job.completed', 't', CASE WHEN k % 10 > 0 THEN now() END
  FROM owners, generate_series(1, 60) k;
ANALYZE;
"""

ME = "(SELECT id FROM users WHERE email = '7@example.com')"

QUESTIONS = {
    "sign in by e-mail": ("SELECT * FROM users WHERE email = 'AnN@example.com'", "idx_users_email"),
    "sign in by name": ("SELECT * FROM users WHERE username = 'USER7'", "idx_users_username"),
    "who pays": (
        "SELECT id FROM users WHERE subscription_tier = 'pro'",
        "idx_users_subscription",
    ),
    "GET /files": (
        (
            "SELECT * FROM files WHERE user_id = '{me}' AND deleted_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 50"
        ),
        "idx_files_user_live",
    ),
    "POST /files/check": (
        "SELECT id FROM files WHERE user_id = '{me}' AND sha256_hash = 'abc'",
        "idx_files_user_sha256",
    ),
    "GET /duplicates": (
        EXACT_GROUPS.replace(":account", "'{me}'").replace(":min_bytes", "0"),
        "idx_files_user",
    ),
    "recent activity": (
        (
            "SELECT * FROM analytics_events WHERE user_id = '{me}'"
            " AND event_type = ANY('{{event 1}}') ORDER BY created_at DESC, id DESC LIMIT 20"
        ),
        "user_id",
    ),
    "GET /notifications": (
        (
            "SELECT * FROM notifications WHERE user_id = '{me}'"
            " ORDER BY created_at DESC, id DESC LIMIT 50"
        ),
        "idx_notifications_user",
    ),
    "unread notifications": (
        "SELECT count(*) FROM notifications WHERE user_id = '{me}' AND read_at IS NULL",
        "idx_notifications_unread",
    ),
    "files by category": (
        "SELECT count(*) FROM files WHERE category = 'category 7'",
        "idx_files_category",
    ),
    "files by md5": ("SELECT id FROM files WHERE md5_hash = 'abc'", "idx_files_md5"),
    "files by tag": ("SELECT id FROM files WHERE tags @> '{{tag7}}'", "idx_files_tags"),
    "duplicates of a file": ("SELECT id FROM files WHERE duplicate_of = '{me}'", "duplicate_of"),
    "one file of a root": (
        "SELECT id FROM files WHERE root_id = '{me}' AND storage_key = 'k7'",
        "uq_files_root_id_storage_key",
    ),
    "jobs of an account": (
        "SELECT * FROM organization_jobs WHERE user_id = '{me}'",
        "idx_jobs_user",
    ),
    "running jobs": (
        "SELECT * FROM organization_jobs WHERE status = 'running'",
        "idx_jobs_status",
    ),
    "newest jobs": (
        "SELECT * FROM organization_jobs ORDER BY created_at DESC LIMIT 20",
        "idx_jobs_created",
    ),
    "tags of an account": (
        "SELECT * FROM file_tags WHERE user_id = '{me}' AND tag_name = 'tag7'",
        "file_tags",
    ),
    "a tag by name": ("SELECT * FROM file_tags WHERE tag_name = 'none'", "idx_file_tags_name"),
    "a subscription of Stripe's": (
        "SELECT * FROM subscriptions WHERE stripe_subscription_id = 'sub_7-1'",
        "idx_subscriptions_stripe",
    ),
    "a subscription of an account": (
        "SELECT * FROM subscriptions WHERE user_id = '{me}'",
        "idx_subscriptions_",
    ),
    "an API key": ("SELECT * FROM api_keys WHERE key_hash = 'hash7-1'", "idx_api_keys_hash"),
    "API keys of an account": (
        "SELECT * FROM api_keys WHERE user_id = '{me}'",
        "idx_api_keys_user",
    ),
    "events of an account": ("SELECT * FROM analytics_events WHERE user_id = '{me}'", "user_id"),
    "events of a kind": (
        "SELECT * FROM analytics_events WHERE event_type = 'event 7'",
        "event_type",
    ),
    "newest events": (
        "SELECT * FROM analytics_events ORDER BY created_at DESC LIMIT 20",
        "created_at",
    ),
}


@pytest.fixture(scope="module")
def filled(template_url, postgres_url):
    server = postgres_url.replace("+psycopg", "")
    name = sql.Identifier("indexes_filled")
    template = sql.Identifier(template_url.rsplit("/", 1)[1])
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
        url = server.rsplit("/", 1)[0] + "/indexes_filled"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL)
            me = connection.execute("SELECT id FROM users WHERE username = 'user7'").fetchone()[0]
            yield connection, me
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.mark.parametrize("question", QUESTIONS)
def test_is_answered_from_its_index(filled, question):
    connection, me = filled
    query, index = QUESTIONS[question]
    plan = connection.execute("EXPLAIN " + query.format(me=me)).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert index in text, text
    scans = re.findall(r"Seq Scan on \w+.*cost=[\d.]+\.\.([\d.]+) ", text)
    assert [cost for cost in scans if float(cost) > EMPTY] == [], text
