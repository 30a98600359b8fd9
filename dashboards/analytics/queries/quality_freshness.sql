-- How fresh each kind of run is.
SELECT kind, count(*) AS runs, strftime(max(recorded_at), '%Y-%m-%d %H:%M') AS newest_at,
    date_diff('minute', max(recorded_at), $now::TIMESTAMPTZ) AS minutes_ago
FROM published_runs
WHERE status = 'published'
GROUP BY kind
ORDER BY minutes_ago, kind;
