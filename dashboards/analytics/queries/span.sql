-- What there is: published runs, the first and last day any tells of, and when the newest was.
WITH days AS (
    SELECT recorded_at::DATE AS day FROM published_runs
    WHERE status = 'published' AND kind <> 'daily'
    UNION ALL
    SELECT day::DATE FROM fact_day
)
SELECT
    (SELECT count(*) FROM published_runs WHERE status = 'published') AS runs,
    min(day) AS first_day,
    max(day) AS last_day,
    (SELECT max(recorded_at) FROM published_runs WHERE status = 'published') AS newest_at
FROM days;
