-- Marts and macros over the views: the product's figures by day, and roots as they were.

CREATE VIEW kpi_daily AS
WITH paying AS (
    SELECT DISTINCT day, account_id FROM fact_subscription
    WHERE status IN ('active', 'past_due') AND plan_id <> 'free'
),
before AS (
    SELECT day, lag(day) OVER (ORDER BY day) AS previous_day FROM fact_day
),
churn AS (
    SELECT b.day, count(p.account_id) AS paid_before,
        count(p.account_id) FILTER (NOT EXISTS (
            FROM paying AS now WHERE now.day = b.day AND now.account_id = p.account_id
        )) AS churned
    FROM before AS b LEFT JOIN paying AS p ON p.day = b.previous_day
    GROUP BY b.day
),
revenue AS (
    SELECT day, coalesce(sum(monthly_price_cents), 0)::BIGINT AS mrr_cents,
        count(*) FILTER (monthly_price_cents IS NULL) AS unpriced
    FROM fact_subscription WHERE status IN ('active', 'past_due') AND plan_id <> 'free'
    GROUP BY day
),
payers AS (SELECT day, count(*) AS accounts FROM paying GROUP BY day),
usage AS (
    SELECT day, sum(files_bytes) / 1e9 / nullif(count(*), 0) AS gb
    FROM fact_usage_daily WHERE NOT is_system AND NOT is_erased GROUP BY day
),
ends AS (
    SELECT day,
        1 - count(*) FILTER (status = 'failed') / nullif(count(*) FILTER (status <> 'canceled'), 0)
            AS success_ratio,
        quantile_cont(epoch(ended_at - started_at), [0.5, 0.95, 0.99])
            FILTER (status NOT IN ('failed', 'canceled')) AS seconds
    FROM fact_job_end GROUP BY day
)
SELECT
    d.day,
    d.signups_count AS signups,
    d.accounts_count AS accounts,
    coalesce(p.accounts, 0) AS paying_accounts,
    coalesce(p.accounts, 0) / nullif(d.accounts_count, 0) AS conversion_ratio,
    coalesce(r.mrr_cents, 0) AS mrr_cents,
    12 * coalesce(r.mrr_cents, 0) AS arr_cents,
    coalesce(r.unpriced, 0) AS unpriced_subscriptions,
    c.churned,
    c.churned / nullif(c.paid_before, 0) AS churn_ratio,
    u.gb AS gb_per_account,
    d.jobs_count AS jobs,
    e.success_ratio AS job_success_ratio,
    e.seconds[1] AS job_p50_s,
    e.seconds[2] AS job_p95_s,
    e.seconds[3] AS job_p99_s,
    d.api_requests_count AS api_requests,
    d.api_p50_ms,
    d.api_p95_ms,
    d.api_p99_ms,
    100.0 * (d.promoters_count - d.detractors_count)
        / nullif(d.promoters_count + d.passives_count + d.detractors_count, 0) AS nps
FROM fact_day AS d
JOIN churn AS c USING (day)
LEFT JOIN revenue AS r USING (day)
LEFT JOIN payers AS p USING (day)
LEFT JOIN usage AS u USING (day)
LEFT JOIN ends AS e USING (day);

CREATE MACRO files_at(moment) AS TABLE
SELECT * EXCLUDE (is_deleted, valid_to, is_current)
FROM dim_file
WHERE valid_from <= moment::TIMESTAMPTZ
    AND (valid_to IS NULL OR valid_to > moment::TIMESTAMPTZ) AND NOT is_deleted;

CREATE MACRO files_after(run) AS TABLE
SELECT * EXCLUDE (is_deleted), recorded_at AS valid_from
FROM (
    SELECT * FROM _dim_file
    WHERE (recorded_at, run_id) <= (
        SELECT (recorded_at, run_id) FROM published_runs
        WHERE run_id = run::VARCHAR AND status = 'published'
    )
    QUALIFY row_number() OVER (PARTITION BY root_id, key ORDER BY recorded_at DESC, run_id DESC) = 1
)
WHERE NOT is_deleted;
