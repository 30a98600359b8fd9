"""Statements of the atomic quota: promised, extended, kept or given back. The account's row first.

Every statement here begins with the row of `users`, so that two writers of one account never wait
for each other in a circle.
"""

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.types import Text

TODAY = "CAST(now() AT TIME ZONE 'UTC' AS date)"
UPLOADS_PER_DAY = "uploads_per_day"
"""Name of the daily limit in the price list."""


def _ids(statement: str, *names: str) -> TextClause:
    """Return a statement whose parameters of these names are UUIDs."""
    return text(statement).bindparams(
        *(bindparam(name, type_=UUID(as_uuid=False)) for name in names)
    )


PROMISE = _ids(
    """
UPDATE users SET storage_reserved_bytes = storage_reserved_bytes + :size_bytes
 WHERE id = :account_id AND (storage_quota_gb IS NULL OR :size_bytes = 0
   OR storage_used_bytes + storage_reserved_bytes + :size_bytes
      <= CAST(storage_quota_gb AS bigint) * 1000000000)
RETURNING id
""",
    "account_id",
)
"""RELIABILITY, atomic quota. No row: it does not fit."""

COUNT_UPLOADS = _ids(
    f"""
INSERT INTO usage_counters AS c (user_id, metric, period_start, used)
SELECT :account_id, '{UPLOADS_PER_DAY}', {TODAY}, :uploads
 WHERE CAST(:allowed AS bigint) IS NULL OR :uploads <= CAST(:allowed AS bigint)
ON CONFLICT (user_id, metric, period_start) DO UPDATE SET used = c.used + excluded.used
 WHERE CAST(:allowed AS bigint) IS NULL OR c.used + excluded.used <= CAST(:allowed AS bigint)
RETURNING used
""",
    "account_id",
)
"""No row: the day's limit is reached."""

FILES_THERE = _ids(
    """
SELECT (SELECT coalesce(sum(files), 0) FROM file_counts WHERE user_id = :account_id)
     + (SELECT coalesce(sum(uploads), 0) FROM storage_reservations WHERE user_id = :account_id)
""",
    "account_id",
)
"""Files an account has, those on their way included."""

RESERVE = _ids(
    f"""
INSERT INTO storage_reservations AS r
       (id, user_id, size_bytes, uploads, counted_on, storage_keys, expires_at)
VALUES (:id, :account_id, :size_bytes, :uploads, {TODAY}, :keys, now() + :life)
ON CONFLICT (id) DO UPDATE SET size_bytes = r.size_bytes + excluded.size_bytes,
       uploads = r.uploads + excluded.uploads,
       storage_keys = r.storage_keys || excluded.storage_keys, expires_at = excluded.expires_at
 WHERE r.user_id = excluded.user_id
RETURNING size_bytes
""",  # noqa: S608 - a constant
    "id",
    "account_id",
).bindparams(bindparam("keys", type_=ARRAY(Text())))
"""Write a promise down, or add to it."""

RENEW = _ids(
    """
UPDATE storage_reservations SET expires_at = now() + :life
 WHERE id = :id AND user_id = :account_id RETURNING id
""",
    "id",
    "account_id",
)

LOCK_ACCOUNT = _ids("SELECT id FROM users WHERE id = :account_id FOR NO KEY UPDATE", "account_id")

END_RESERVATION = _ids(
    """
DELETE FROM storage_reservations WHERE id = :id AND user_id = :account_id
RETURNING size_bytes, uploads, counted_on
""",
    "id",
    "account_id",
)

KEEP = _ids(
    """
UPDATE users SET storage_reserved_bytes = storage_reserved_bytes - :reserved_bytes,
       storage_used_bytes = storage_used_bytes + :used_bytes
 WHERE id = :account_id
""",
    "account_id",
)
"""What was promised is promised no more; what was written is stored."""

UNCOUNT = _ids(
    f"""
UPDATE usage_counters SET used = greatest(0, used - :uploads)
 WHERE user_id = :account_id AND metric = '{UPLOADS_PER_DAY}' AND period_start = :counted_on
""",  # noqa: S608 - a constant
    "account_id",
)

ENTER = _ids(
    """
INSERT INTO storage_ledger (user_id, delta_bytes, reason, file_id)
VALUES (:account_id, :size_bytes, 'upload', :file_id)
""",
    "account_id",
    "file_id",
)

ROOT = _ids(
    """
INSERT INTO storage_roots AS r (user_id, kind, url) VALUES (:account_id, 'managed', :url)
ON CONFLICT (user_id, url) DO NOTHING RETURNING id
""",
    "account_id",
)

FIND_ROOT = _ids(
    "SELECT id FROM storage_roots WHERE user_id = :account_id AND url = :url", "account_id"
)

WAITING_JOB = _ids(
    """
SELECT id FROM organization_jobs
 WHERE user_id = :account_id AND source_root_id = :root_id AND kind = 'uploaded'
   AND status = 'pending' AND paused_at IS NULL AND cancel_requested_at IS NULL
   AND launches > 0
 ORDER BY created_at DESC LIMIT 1 FOR NO KEY UPDATE
""",
    "account_id",
    "root_id",
)
"""A job that was asked for and has not begun: it takes what is uploaded until it begins. Its row
is locked, so it cannot begin before this upload is seen."""
