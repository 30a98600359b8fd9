-- What is true of the run of a day, as (measure, actual): the rows of its accounts and jobs add up
-- to what Postgres counted by itself (`fact_day`), in the same moment.
SELECT 'rows of fact_day' AS measure, count(*) AS actual FROM fact_day
UNION ALL SELECT 'rows of fact_usage_daily', count(*) FROM fact_usage_daily
UNION ALL SELECT 'rows of fact_subscription', count(*) FROM fact_subscription
UNION ALL SELECT 'rows of fact_job_end', count(*) FROM fact_job_end
UNION ALL SELECT 'days beside the one recorded', (
        (SELECT count(*) FROM fact_usage_daily WHERE day NOT IN (SELECT day FROM fact_day))
        + (SELECT count(*) FROM fact_subscription WHERE day NOT IN (SELECT day FROM fact_day))
        + (SELECT count(*) FROM fact_job_end WHERE day NOT IN (SELECT day FROM fact_day))
    )
UNION ALL SELECT 'accounts beside those counted',
    (SELECT coalesce(sum(accounts_count), 0) FROM fact_day)
    - (SELECT count(*) FROM fact_usage_daily WHERE NOT is_system AND NOT is_erased)
UNION ALL SELECT 'files beside those of accounts',
    (SELECT coalesce(sum(files_count), 0) FROM fact_day)
    - (SELECT coalesce(sum(files_count), 0) FROM fact_usage_daily)
UNION ALL SELECT 'bytes beside those of accounts',
    (SELECT coalesce(sum(files_bytes), 0) FROM fact_day)
    - (SELECT coalesce(sum(files_bytes), 0) FROM fact_usage_daily)
UNION ALL SELECT 'jobs beside those that ended',
    (SELECT coalesce(sum(jobs_count), 0) FROM fact_day) - (SELECT count(*) FROM fact_job_end)
UNION ALL SELECT 'jobs that ended and are of no account', count(*) FROM fact_job_end
    WHERE account_id NOT IN (SELECT account_id FROM fact_usage_daily)
UNION ALL SELECT 'jobs that ended before they began', count(*) FROM fact_job_end
    WHERE ended_at < started_at
