-- Every version a path had, oldest first. $key: the path below its root.
SELECT
    root_id, valid_from, valid_to, is_current, is_deleted, size_bytes, sha256, category, run_id
FROM dim_file
WHERE key = $key
ORDER BY root_id, valid_from;
