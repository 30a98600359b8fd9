-- What a root looked like at a moment. $root_id: the root; $moment: `2026-03-01`, or with a time, UTC.
SELECT key, size_bytes, modified_at, category, sha256, run_id
FROM files_at($moment)
WHERE root_id = $root_id
ORDER BY key;
