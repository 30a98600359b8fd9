-- The product's main figures by day, newest first; `kpi_daily` has all of them.
SELECT
    day, signups, accounts, paying_accounts AS paying, mrr_cents, churned, jobs,
    round(100 * job_success_ratio, 1) AS success_percent, round(job_p95_s, 1) AS job_p95_s, nps
FROM kpi_daily
ORDER BY day DESC;
