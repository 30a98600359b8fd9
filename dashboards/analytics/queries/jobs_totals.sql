-- Jobs that ended on the days, all roots together.
SELECT
    count(*) AS jobs,
    count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status = 'canceled') AS canceled,
    count(*) FILTER (status = 'completed_with_errors') AS with_errors,
    1 - count(*) FILTER (status = 'failed') / nullif(count(*) FILTER (status <> 'canceled'), 0)
        AS success_ratio,
    quantile_cont(epoch(ended_at - started_at), 0.5)
        FILTER (status NOT IN ('failed', 'canceled')) AS p50_s,
    quantile_cont(epoch(ended_at - started_at), 0.95)
        FILTER (status NOT IN ('failed', 'canceled')) AS p95_s,
    coalesce(sum(files_count), 0)::BIGINT AS files,
    coalesce(sum(errors_count), 0)::BIGINT AS errors
FROM fact_job_end
WHERE day BETWEEN $first AND $last;
