"""What the room of analytics asks of Postgres."""

from sqlalchemy import text

BY_CATEGORY = text("""
SELECT coarse_category, sum(files)::bigint AS files, sum(size_bytes)::bigint AS bytes
  FROM file_counts WHERE user_id = :account GROUP BY coarse_category HAVING sum(files) <> 0
 ORDER BY coarse_category""")
"""Live files; the changes that triggers of `files` append, added up."""

STORAGE = text("""
SELECT storage_used_bytes, storage_quota_gb FROM users WHERE id = :account""")

DAYS = text("""
WITH days AS (
    SELECT generate_series(CAST(:first AS timestamptz), CAST(:last AS timestamptz),
                           CAST(:step AS interval)) AS day),
changes AS (
    SELECT created_at AS at, 1 AS files, file_size_bytes AS bytes FROM files
     WHERE user_id = :account AND created_at < CAST(:end AS timestamptz)
     UNION ALL
    SELECT deleted_at, -1, -file_size_bytes FROM files
     WHERE user_id = :account AND deleted_at < CAST(:end AS timestamptz)),
placed AS (
    SELECT CASE WHEN at >= CAST(:first AS timestamptz)
                THEN date_bin(CAST(:step AS interval), at, CAST(:first AS timestamptz)) END AS day,
           count(*) FILTER (WHERE files > 0) AS added, sum(bytes) FILTER (WHERE files > 0) AS grown,
           count(*) FILTER (WHERE files < 0) AS removed,
           sum(files) AS files, sum(bytes) AS bytes
      FROM changes GROUP BY 1)
SELECT d.day, coalesce(p.added, 0)::bigint AS added_files,
       coalesce(p.grown, 0)::bigint AS added_bytes,
       coalesce(p.removed, 0)::bigint AS removed_files,
       (coalesce(sum(p.files) OVER w, 0)
         + coalesce((SELECT files FROM placed WHERE day IS NULL), 0))::bigint AS files,
       (coalesce(sum(p.bytes) OVER w, 0)
         + coalesce((SELECT bytes FROM placed WHERE day IS NULL), 0))::bigint AS bytes
  FROM days d LEFT JOIN placed p ON p.day = d.day
WINDOW w AS (ORDER BY d.day) ORDER BY d.day""")
"""How many live files there were at the end of each day, from when they came and went. What was
purged is not known any more."""

HOLDINGS = text("""
SELECT count(*) FILTER (WHERE deleted_at IS NULL AND modified_ns < :stale_ns) AS stale_files,
       coalesce(sum(file_size_bytes) FILTER (WHERE deleted_at IS NULL AND modified_ns < :stale_ns),
           0)::bigint AS stale_bytes,
       count(*) FILTER (WHERE deleted_at IS NOT NULL AND purge_after IS NOT NULL) AS trash_files,
       coalesce(sum(file_size_bytes) FILTER (WHERE deleted_at IS NOT NULL
           AND purge_after IS NOT NULL), 0)::bigint AS trash_bytes
  FROM files WHERE user_id = :account""")

UNDECIDED = text("""
SELECT coalesce(sum(files), 0)::bigint FROM file_counts
 WHERE user_id = :account AND category = :undecided""")

NEAR = text("""
SELECT count(*) AS groups, coalesce(sum(wasted_bytes), 0)::bigint AS bytes FROM duplicate_groups
 WHERE user_id = :account AND truth_class <> 'full_hash' AND ignored_at IS NULL
   AND files_count > 1""")

FOLDERS = text("""
SELECT CASE WHEN position('/' IN f.storage_key) = 0 THEN ''
            ELSE regexp_replace(f.storage_key, '/[^/]*$', '') END AS path,
       count(*) AS files, sum(f.file_size_bytes)::bigint AS bytes
  FROM files f JOIN storage_roots r ON r.id = f.root_id AND r.kind = 'connected'
 WHERE f.user_id = :account AND f.deleted_at IS NULL
 GROUP BY r.id, 1 ORDER BY bytes DESC, path LIMIT :most""")
"""Largest folders of connected storage. What was uploaded lies in no folders."""
