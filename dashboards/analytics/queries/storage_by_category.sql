-- Files and bytes by category now, most bytes first.
SELECT
    coalesce(category, 'Not categorized') AS category,
    count(*) AS files,
    sum(size_bytes)::BIGINT AS bytes
FROM files
WHERE $root = '' OR root_id = $root
GROUP BY 1
ORDER BY bytes DESC, category;
