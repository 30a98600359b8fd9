-- The hundred biggest files.
SELECT size_bytes, root_id, key, category, media, captured_at
FROM files
ORDER BY size_bytes DESC, root_id, key
LIMIT 100;
