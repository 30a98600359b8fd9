-- Extra copies and wasted bytes at the end of days, every $step days back from the last one.
WITH told AS (
    SELECT source_root_id AS root_id, run_id, recorded_at FROM fact_job
    UNION
    SELECT destination_root_id, run_id, recorded_at FROM fact_job
),
wasted AS (
    SELECT root_id, run_id, sum(wasted_bytes) AS bytes, count(*) FILTER (NOT is_keeper) AS copies
    FROM fact_duplicate
    WHERE truth_class = 'full_hash'
    GROUP BY ALL
),
by_day AS (
    SELECT
        t.root_id,
        t.recorded_at::DATE AS day,
        arg_max(coalesce(w.bytes, 0), (t.recorded_at, t.run_id)) AS bytes,
        arg_max(coalesce(w.copies, 0), (t.recorded_at, t.run_id)) AS copies
    FROM told AS t
    LEFT JOIN wasted AS w USING (root_id, run_id)
    WHERE $root = '' OR t.root_id = $root
    GROUP BY ALL
),
days AS (
    SELECT $last::DATE - i::INTEGER AS day
    FROM range(0, 1 + date_diff('day', $first::DATE, $last::DATE), $step::BIGINT) AS steps (i)
)
SELECT
    strftime(d.day, '%Y-%m-%d') AS day,
    coalesce(sum(b.bytes), 0)::BIGINT AS wasted_bytes,
    coalesce(sum(b.copies), 0)::BIGINT AS copies
FROM days AS d
CROSS JOIN (SELECT DISTINCT root_id FROM by_day) AS r
ASOF LEFT JOIN by_day AS b ON b.root_id = r.root_id AND b.day <= d.day
GROUP BY d.day
ORDER BY d.day;
