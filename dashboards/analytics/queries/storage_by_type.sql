-- Files and bytes by what the content is, most bytes first.
SELECT
    content_label AS type,
    count(*) AS files,
    sum(size_bytes)::BIGINT AS bytes
FROM files
WHERE $root = '' OR root_id = $root
GROUP BY 1
ORDER BY bytes DESC, type
LIMIT 12;
