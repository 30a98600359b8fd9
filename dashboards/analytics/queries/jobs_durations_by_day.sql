-- Durations of completed jobs by day, seconds.
SELECT day, job_p50_s, job_p95_s, job_p99_s
FROM kpi_daily
WHERE day BETWEEN $first AND $last AND job_p50_s IS NOT NULL
ORDER BY day;
