-- Durations of completed jobs by kind, seconds.
SELECT
    kind,
    count(*) AS jobs,
    quantile_cont(epoch(ended_at - started_at), 0.5) AS p50_s,
    quantile_cont(epoch(ended_at - started_at), 0.95) AS p95_s,
    max(epoch(ended_at - started_at)) AS longest_s
FROM fact_job_end
WHERE day BETWEEN $first AND $last AND status NOT IN ('failed', 'canceled')
    AND started_at IS NOT NULL
GROUP BY kind
ORDER BY jobs DESC, kind;
