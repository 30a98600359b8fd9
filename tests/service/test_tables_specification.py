"""The seven tables are those of the specification, column by column."""

import psycopg
import pytest

pytestmark = pytest.mark.service

STAMP = ("timestamp with time zone", "CURRENT_TIMESTAMP")  # mend: timestamptz everywhere
LATER = ("timestamp with time zone", None)
KEY = ("uuid", "gen_random_uuid()")
TEXT = ("text", None)
JSON = ("jsonb", "'{}'::jsonb")


def chars(length, default=None):
    return (
        f"character varying({length})",
        None if default is None else f"'{default}'::character varying",
    )


SPECIFICATION = {
    "users": {
        "id": KEY,
        "email": ("citext", None),  # mend: unique without regard to case
        "password_hash": chars(255),
        "username": ("citext", None),
        "full_name": chars(255),
        "avatar_url": TEXT,
        "subscription_tier": chars(50, "free"),
        "storage_quota_gb": ("integer", "5"),
        "storage_used_bytes": ("bigint", "0"),
        "is_active": ("boolean", "true"),
        "is_verified": ("boolean", "false"),
        "created_at": STAMP,
        "updated_at": STAMP,
        "last_login_at": LATER,
    },
    "subscriptions": {
        "id": KEY,
        "user_id": ("uuid", None),
        "plan_id": chars(50),
        "status": chars(50, "active"),
        "stripe_subscription_id": chars(255),
        "stripe_customer_id": chars(255),
        "current_period_start": LATER,
        "current_period_end": LATER,
        "cancel_at_period_end": ("boolean", "false"),
        "trial_start": LATER,
        "trial_end": LATER,
        "created_at": STAMP,
        "updated_at": STAMP,
    },
    "files": {
        "id": KEY,
        "user_id": ("uuid", None),
        "filename": chars(500),
        "original_path": TEXT,
        "storage_path": TEXT,
        "category": chars(100),
        "file_extension": chars(50),
        "file_size_bytes": ("bigint", None),
        "mime_type": chars(100),
        "md5_hash": chars(32),
        "sha256_hash": chars(64),
        "is_duplicate": ("boolean", "false"),
        "duplicate_of": ("uuid", None),
        "thumbnail_url": TEXT,
        "metadata": JSON,
        "tags": ("text[]", "'{}'::text[]"),
        "created_at": STAMP,
        "updated_at": STAMP,
        "organized_at": LATER,
        "deleted_at": LATER,
    },
    "organization_jobs": {
        "id": KEY,
        "user_id": ("uuid", None),
        "source_path": TEXT,
        "status": chars(50, "pending"),
        "organization_mode": chars(50),
        "operation_type": chars(20),
        "options": JSON,
        "files_processed": ("integer", "0"),
        "files_moved": ("integer", "0"),
        "duplicates_found": ("integer", "0"),
        "errors_count": ("integer", "0"),
        "started_at": LATER,
        "completed_at": LATER,
        "created_at": STAMP,
    },
    "file_tags": {
        "id": KEY,
        "user_id": ("uuid", None),
        "tag_name": chars(100),
        "tag_color": chars(7, "#00f7ff"),
        "usage_count": ("integer", "0"),
        "created_at": STAMP,
    },
    "analytics_events": {
        "id": KEY,
        "user_id": ("uuid", None),
        "event_type": chars(100),
        "event_data": JSON,
        "ip_address": ("inet", None),
        "user_agent": TEXT,
        "created_at": STAMP,
    },
    "api_keys": {
        "id": KEY,
        "user_id": ("uuid", None),
        "key_hash": chars(255),
        "key_prefix": chars(20),
        "name": chars(200),
        "permissions": JSON,
        "last_used_at": LATER,
        "expires_at": LATER,
        "is_active": ("boolean", "true"),
        "created_at": STAMP,
    },
}

ADDED = {
    "users": "storage_reserved_bytes deleted_at token_epoch",
    "subscriptions": "price_id interval ended_at grace_until last_stripe_event_at",
    "files": "scan_status purge_after version encryption_key_id team_id root_id storage_key",
    "organization_jobs": "files_total bytes_total progress_seq prefect_flow_run_id preview_id "
    "entitlement_snapshot cancel_requested_at error kind target_job_id source_root_id "
    "destination_root_id phase lease_owner lease_epoch lease_expires_at",
    "api_keys": "team_id rotated_from revoked_at ip_allowlist",
}

INDEXES = {
    "users": "idx_users_email idx_users_username idx_users_subscription",
    "subscriptions": "idx_subscriptions_user idx_subscriptions_stripe idx_subscriptions_live",
    "files": "idx_files_user idx_files_md5 idx_files_category idx_files_tags "
    "idx_files_user_sha256 idx_files_user_live",
    "organization_jobs": "idx_jobs_user idx_jobs_status idx_jobs_created",
    "file_tags": "idx_file_tags_user idx_file_tags_name",
    "analytics_events": "idx_analytics_user idx_analytics_type idx_analytics_created",
    "api_keys": "idx_api_keys_hash idx_api_keys_user",
}

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.column_default
  FROM pg_attribute a
  JOIN information_schema.columns c
    ON c.table_schema = 'public' AND c.table_name = %(table)s AND c.column_name = a.attname
 WHERE a.attrelid = to_regclass(%(table)s)"""


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("table", SPECIFICATION)
def test_columns_types_and_defaults_are_the_specifications(connection, table):
    rows = connection.execute(COLUMNS, {"table": table}).fetchall()
    found = {name: (kind, default) for name, kind, default in rows}
    specified = SPECIFICATION[table]
    assert {name: found.get(name) for name in specified} == specified


@pytest.mark.parametrize("table", ADDED)
def test_columns_that_the_mends_add_are_there(connection, table):
    found = {name for name, _, _ in connection.execute(COLUMNS, {"table": table})}
    assert set(ADDED[table].split()) <= found


@pytest.mark.parametrize("table", INDEXES)
def test_indexes_are_the_specifications_and_none_is_double(connection, table):
    query = """
        SELECT relname, indkey::text || coalesce(pg_get_expr(indpred, indrelid), '')
               || relam::text || indoption::text
          FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
         WHERE indrelid = to_regclass(%s)"""
    found = dict(connection.execute(query, [table]).fetchall())
    assert set(INDEXES[table].split()) <= set(found)
    assert len(set(found.values())) == len(found), "two indexes on the same columns"
    assert "idx_files_deleted" not in found  # mend: an index of nulls


def test_every_timestamp_has_a_time_zone(connection):
    query = """SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'"""
    assert connection.execute(query).fetchall() == []


def test_every_table_and_column_says_what_it_means(connection):
    query = """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT c.relispartition AND c.relname <> 'alembic_version' AND a.attnum > 0
           AND NOT a.attisdropped
           AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"""
    assert connection.execute(query).fetchall() == []


def test_no_relationship_loads_by_itself():
    from models.tables.schema import PIPELINE, SPECIFIED

    found = [r for row in SPECIFIED + PIPELINE for r in row.__mapper__.relationships]
    assert found
    assert {relationship.lazy for relationship in found} == {"raise"}
