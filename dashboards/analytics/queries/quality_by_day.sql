-- Runs that were judged, by day and verdict.
SELECT strftime(recorded_at, '%Y-%m-%d') AS day, status, count(*) AS runs
FROM published_runs
WHERE recorded_at::DATE BETWEEN $first::DATE AND $last::DATE
GROUP BY ALL
ORDER BY day, status;
