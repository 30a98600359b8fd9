-- Files and bytes by category, most bytes first.
SELECT
    coalesce(category, 'Not categorized') AS category,
    count(*) AS files,
    sum(size_bytes) AS total_bytes,
    round(100.0 * sum(size_bytes) / nullif(sum(sum(size_bytes)) OVER (), 0), 1) AS share_percent
FROM files
GROUP BY 1
ORDER BY total_bytes DESC, category;
