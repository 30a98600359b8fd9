"""What the database itself refuses, and what it does by itself."""

import itertools
import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

from models.domain.jobs import TRANSITIONS, JobStatus

pytestmark = pytest.mark.service


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def add_user(connection, email="a@example.com", name="a"):
    return connection.execute(
        "INSERT INTO users (email, username, password_hash) VALUES (%s, %s, 'x') RETURNING id",
        [email, name],
    ).fetchone()[0]


def add_root(connection, user):
    return connection.execute(
        "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'connected', 'file:///in')"
        " RETURNING id",
        [user],
    ).fetchone()[0]


def add_job(connection, user, root, status="pending"):
    return connection.execute(
        "INSERT INTO organization_jobs (user_id, source_path, destination_path, organization_mode,"
        " operation_type, source_root_id, destination_root_id, status)"
        " VALUES (%s, '/in', '/in', 'category', 'move', %s, %s, %s) RETURNING id",
        [user, root, root, status],
    ).fetchone()[0]


def add_file(connection, user, root, key, *, of=None, minute=0):
    return connection.execute(
        "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path, storage_version,"
        " modified_ns, file_size_bytes, sha256_hash, is_duplicate, duplicate_of, created_at)"
        " VALUES (%s, %s, %s, %s, %s, 'v', 0, 1, %s, %s, %s, %s) RETURNING id",
        [
            user,
            root,
            key,
            key,
            key,
            "a" * 64,
            of is not None,
            of,
            datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        ],
    ).fetchone()[0]


def duplicates(connection):
    rows = connection.execute(
        "SELECT f.storage_key, k.storage_key, f.is_duplicate FROM files f"
        " LEFT JOIN files k ON k.id = f.duplicate_of ORDER BY 1"
    ).fetchall()
    return {key: (keeper, flag) for key, keeper, flag in rows}


@pytest.mark.parametrize("column", ["email", "username"])
def test_emails_and_usernames_are_unique_without_regard_to_case(connection, column):
    add_user(connection, "Ann@Example.com", "Ann")
    other = {"email": "b@example.com", "username": "b", column: None}
    other[column] = "ANN@EXAMPLE.COM" if column == "email" else "aNN"
    with pytest.raises(errors.UniqueViolation):
        add_user(connection, other["email"], other["username"])


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE users SET subscription_tier = 'gold'", "valid_tier"),
        ("UPDATE users SET storage_used_bytes = -1", "positive_storage"),
        ("UPDATE users SET storage_reserved_bytes = -1", "positive_storage"),
        ("UPDATE files SET file_size_bytes = -1", "positive_size"),
        ("UPDATE files SET duplicate_of = id", "duplicate_of_another"),
        ("UPDATE files SET hashed_at = now(), sha256_hash = NULL", "hashed_has_sha256"),
        ("UPDATE organization_jobs SET status = 'lost'", "legal_status_step"),
        ("UPDATE organization_jobs SET operation_type = 'link'", "valid_operation"),
        ("UPDATE organization_jobs SET files_moved = -1", "positive_counts"),
        ("UPDATE organization_jobs SET errors_count = -1", "positive_counts"),
        ("UPDATE organization_jobs SET progress_ratio = 1.01", "valid_progress"),
        ("UPDATE file_tags SET usage_count = -1", "positive_usage"),
        ("UPDATE subscriptions SET current_period_end = current_period_start", "valid_period"),
        ("UPDATE subscriptions SET status = 'gone'", "valid_status"),
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(connection, statement, constraint):
    user = add_user(connection)
    root = add_root(connection, user)
    add_job(connection, user, root)
    add_file(connection, user, root, "k")
    connection.execute("INSERT INTO file_tags (user_id, tag_name) VALUES (%s, 't')", [user])
    connection.execute(
        "INSERT INTO subscriptions (user_id, plan_id, current_period_start, current_period_end)"
        " VALUES (%s, 'pro', '2026-01-01', '2026-02-01')",
        [user],
    )
    with pytest.raises(errors.CheckViolation) as refused:
        connection.execute(statement)
    assert refused.value.diag.constraint_name == constraint


def test_a_quota_may_be_unlimited_and_a_free_subscription_has_no_period(connection):
    user = add_user(connection)
    connection.execute("UPDATE users SET storage_quota_gb = NULL")
    connection.execute("INSERT INTO subscriptions (user_id, plan_id) VALUES (%s, 'free')", [user])


def test_all_statuses_of_stripe_are_known_and_one_live_subscription_is_enough(connection):
    user = add_user(connection)
    add = "INSERT INTO subscriptions (user_id, plan_id, status) VALUES (%s, 'pro', %s)"
    for ended in ("canceled", "incomplete_expired", "incomplete", "canceled"):
        connection.execute(add, [user, ended])
    connection.execute(add, [user, "active"])
    for live in ("active", "trialing", "past_due", "unpaid", "paused"):
        with pytest.raises(errors.UniqueViolation):
            connection.execute(add, [user, live])


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(JobStatus, 2)))
def test_the_trigger_knows_the_same_steps_as_the_domain(shared, owner, before, after):
    job = add_job(shared, *owner, before.value)
    step = "UPDATE organization_jobs SET status = %s WHERE id = %s"
    if after in TRANSITIONS[before]:
        shared.execute(step, [after.value, job])
    else:
        with pytest.raises(errors.CheckViolation):
            shared.execute(step, [after.value, job])


@pytest.fixture(scope="module")
def shared(template_url, postgres_url):
    """One database for all the steps; the tests of this fixture do not disturb each other."""
    name = f"steps_{uuid.uuid4().hex[:8]}"
    server, template = postgres_url.replace("+psycopg", ""), template_url.rsplit("/", 1)[1]
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        with psycopg.connect(server.rsplit("/", 1)[0] + f"/{name}", autocommit=True) as connection:
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def owner(shared):
    user = add_user(shared)
    return user, add_root(shared, user)


def test_a_job_is_not_born_with_a_status_that_does_not_exist(connection):
    user = add_user(connection)
    with pytest.raises(errors.CheckViolation) as refused:
        add_job(connection, user, add_root(connection, user), "lost")
    assert refused.value.diag.constraint_name == "valid_status"


def test_deleting_an_original_promotes_the_oldest_of_its_duplicates(connection):
    user = add_user(connection)
    root = add_root(connection, user)
    original = add_file(connection, user, root, "original")
    add_file(connection, user, root, "young", of=original, minute=3)
    add_file(connection, user, root, "old", of=original, minute=1)
    add_file(connection, user, root, "middle", of=original, minute=2)
    connection.execute("DELETE FROM files WHERE id = %s", [original])
    assert duplicates(connection) == {
        "old": (None, False),
        "middle": ("old", True),
        "young": ("old", True),
    }


def test_deleting_an_original_with_some_duplicates_at_once_promotes_one_that_stays(connection):
    user = add_user(connection)
    root = add_root(connection, user)
    original = add_file(connection, user, root, "original")
    for minute, key in enumerate(("b", "c", "d"), start=1):
        add_file(connection, user, root, key, of=original, minute=minute)
    connection.execute("DELETE FROM files WHERE storage_key IN ('original', 'b')")
    assert duplicates(connection) == {"c": (None, False), "d": ("c", True)}


def test_trashing_an_original_promotes_too(connection):
    user = add_user(connection)
    root = add_root(connection, user)
    original = add_file(connection, user, root, "original")
    add_file(connection, user, root, "b", of=original, minute=1)
    add_file(connection, user, root, "c", of=original, minute=2)
    connection.execute("UPDATE files SET deleted_at = now() WHERE storage_key IN ('original', 'b')")
    assert duplicates(connection)["c"] == (None, False)


def test_deleting_an_account_takes_everything_of_it_along(connection):
    user = add_user(connection)
    root = add_root(connection, user)
    job = add_job(connection, user, root)
    original = add_file(connection, user, root, "original")
    add_file(connection, user, root, "b", of=original)
    connection.execute(
        "INSERT INTO organization_operations (job_id, seq, source_root_id, destination_root_id,"
        " size_bytes, modified_ns, unit_id, action, source_key, destination_key, sha256, version)"
        " VALUES (%s, 0, %s, %s, 1, 1, 'u', 'move', 'a', 'b', 's', 'v')",
        [job, root, root],
    )
    connection.execute("INSERT INTO journal_folders VALUES (%s, %s, 'f', true)", [job, root])
    connection.execute(
        "INSERT INTO analytics_events (user_id, event_type) VALUES (%s, 'sign_up')", [user]
    )
    connection.execute("DELETE FROM users")
    for table in (
        "files",
        "organization_jobs",
        "organization_operations",
        "journal_folders",
        "storage_roots",
    ):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert connection.execute("SELECT DISTINCT user_id FROM analytics_events").fetchall() == [
        (None,)
    ]


def test_months_of_analytics_are_made_ahead_and_take_over_what_came_before(connection):
    for moment in ("2019-01-31 23:59:59.9+00", "2019-02-01 00:00+00", "2019-02-28 12:00+00"):
        connection.execute(
            "INSERT INTO analytics_events (event_type, created_at) VALUES ('e', %s)", [moment]
        )
    where = "SELECT tableoid::regclass::text, count(*) FROM analytics_events GROUP BY 1 ORDER BY 1"
    assert connection.execute(where).fetchall() == [("analytics_events_default", 3)]
    ensure = "SELECT ensure_analytics_partitions('2019-02-17', 2)"
    assert connection.execute(ensure).fetchone() == (2,)
    assert connection.execute(ensure).fetchone() == (0,)
    assert connection.execute(where).fetchall() == [
        ("analytics_events_2019_02", 2),
        ("analytics_events_default", 1),
    ]
    connection.execute("INSERT INTO analytics_events (event_type) VALUES ('now')")
    this_month = datetime.now(UTC).strftime("analytics_events_%Y_%m")
    assert (this_month, 1) in connection.execute(where).fetchall()
