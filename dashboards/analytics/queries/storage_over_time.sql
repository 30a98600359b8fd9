-- Files and bytes by category at the end of days, every $step days back from the last one.
WITH versions AS (
    SELECT coalesce(category, 'Not categorized') AS category, size_bytes, valid_from, valid_to
    FROM dim_file
    WHERE NOT is_deleted AND ($root = '' OR root_id = $root)
),
changes AS (
    SELECT category, valid_from::DATE AS day, size_bytes AS bytes, 1 AS files FROM versions
    UNION ALL
    SELECT category, valid_to::DATE, -size_bytes, -1 FROM versions WHERE valid_to IS NOT NULL
),
by_day AS (SELECT category, day, sum(bytes) AS bytes, sum(files) AS files FROM changes GROUP BY ALL),
running AS (
    SELECT category, day, sum(bytes) OVER up_to AS bytes, sum(files) OVER up_to AS files
    FROM by_day
    WINDOW up_to AS (PARTITION BY category ORDER BY day)
),
days AS (
    SELECT $last::DATE - i::INTEGER AS day
    FROM range(0, 1 + date_diff('day', $first::DATE, $last::DATE), $step::BIGINT) AS steps (i)
)
SELECT
    strftime(d.day, '%Y-%m-%d') AS day,
    c.category,
    coalesce(r.bytes, 0)::BIGINT AS bytes,
    coalesce(r.files, 0)::BIGINT AS files
FROM days AS d
CROSS JOIN (SELECT DISTINCT category FROM running) AS c
ASOF LEFT JOIN running AS r ON r.category = c.category AND r.day <= d.day
ORDER BY d.day, c.category;
