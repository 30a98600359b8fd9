-- The product's figures by day; the net promoter score over the 30 days up to each.
WITH answers AS (
    SELECT day,
        sum(promoters_count - detractors_count) OVER month AS balance,
        sum(promoters_count + passives_count + detractors_count) OVER month AS answers
    FROM fact_day
    WINDOW month AS (
        ORDER BY day::DATE RANGE BETWEEN INTERVAL 29 DAYS PRECEDING AND CURRENT ROW
    )
)
SELECT
    k.day, k.signups, k.accounts, k.paying_accounts, k.conversion_ratio,
    k.mrr_cents / 100 AS mrr_dollars, k.churned, k.gb_per_account, k.job_success_ratio,
    k.job_p50_s, k.job_p95_s, k.job_p99_s,
    100.0 * a.balance / nullif(a.answers, 0) AS nps_30_days
FROM kpi_daily AS k
JOIN answers AS a USING (day)
WHERE k.day BETWEEN $first AND $last
ORDER BY k.day;
