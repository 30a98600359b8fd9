-- Runs that were judged on the days, and by how many expectations.
SELECT
    count(*) AS runs,
    count(*) FILTER (status = 'published') AS published,
    count(*) FILTER (status = 'quarantined') AS quarantined,
    coalesce(sum(expectations_count), 0)::BIGINT AS expectations,
    coalesce(sum(rows_count), 0)::BIGINT AS rows
FROM published_runs
WHERE recorded_at::DATE BETWEEN $first::DATE AND $last::DATE;
