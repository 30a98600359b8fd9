-- The newest runs of jobs.
SELECT
    strftime(j.recorded_at, '%Y-%m-%d %H:%M') AS recorded_at,
    j.kind,
    coalesce(r.url, 'root ' || left(j.source_root_id, 8)) AS root,
    j.status,
    j.files_count AS files,
    j.done_count AS done,
    j.errors_count AS errors,
    epoch(j.recorded_at - j.started_at) AS seconds,
    j.undone_by IS NOT NULL AS is_undone
FROM fact_job AS j
LEFT JOIN dim_root AS r ON r.root_id = j.source_root_id
WHERE j.recorded_at::DATE BETWEEN $first::DATE AND $last::DATE
    AND ($root = '' OR j.source_root_id = $root OR j.destination_root_id = $root)
ORDER BY j.recorded_at DESC, j.run_id
LIMIT 12;
