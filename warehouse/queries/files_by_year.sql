-- Files and bytes by the year they were made, and how many of those dates the files tell themselves.
SELECT
    coalesce(left(captured_at, 4), strftime(modified_at, '%Y'), 'Unknown') AS year,
    count(*) AS files,
    sum(size_bytes) AS total_bytes,
    count(*) FILTER (captured_source NOT IN ('modified', 'name')) AS dated_by_content
FROM files
GROUP BY 1
ORDER BY 1;
