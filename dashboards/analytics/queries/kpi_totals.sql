-- The product's figures over the days: sums of what happened, the newest of what stands.
SELECT
    count(*) AS days,
    coalesce(sum(k.signups), 0)::BIGINT AS signups,
    coalesce(arg_max(k.accounts, k.day), 0) AS accounts,
    coalesce(arg_max(k.paying_accounts, k.day), 0) AS paying_accounts,
    arg_max(k.conversion_ratio, k.day) AS conversion_ratio,
    coalesce(arg_max(k.mrr_cents, k.day), 0) AS mrr_cents,
    coalesce(arg_max(k.arr_cents, k.day), 0) AS arr_cents,
    coalesce(arg_max(k.unpriced_subscriptions, k.day), 0) AS unpriced_subscriptions,
    coalesce(sum(k.churned), 0)::BIGINT AS churned,
    arg_max(k.churn_ratio, k.day) AS churn_ratio,
    arg_max(k.gb_per_account, k.day) AS gb_per_account,
    coalesce(sum(d.promoters_count + d.passives_count + d.detractors_count), 0)::BIGINT AS answers,
    100.0 * sum(d.promoters_count - d.detractors_count)
        / nullif(sum(d.promoters_count + d.passives_count + d.detractors_count), 0) AS nps
FROM kpi_daily AS k
JOIN fact_day AS d USING (day)
WHERE k.day BETWEEN $first AND $last;
