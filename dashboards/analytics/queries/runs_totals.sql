-- Runs of jobs that were recorded on the days, and what they did.
SELECT
    count(*) AS runs,
    coalesce(sum(operations_count), 0)::BIGINT AS operations,
    coalesce(sum(done_count), 0)::BIGINT AS done,
    coalesce(sum(errors_count), 0)::BIGINT AS errors,
    count(undone_by) AS undone
FROM fact_job
WHERE recorded_at::DATE BETWEEN $first::DATE AND $last::DATE
    AND ($root = '' OR source_root_id = $root OR destination_root_id = $root);
