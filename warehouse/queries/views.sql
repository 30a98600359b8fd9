-- Views over what the runs published. Each `_<table>` is the table as published, one row per row.

CREATE VIEW published_runs AS FROM _published_runs;

CREATE VIEW fact_job AS
SELECT job.*, undo.run_id AS undone_by
FROM _fact_job AS job
LEFT JOIN (
    SELECT target_job_id, max(run_id) AS run_id FROM _fact_job WHERE kind = 'undo' GROUP BY ALL
) AS undo ON undo.target_job_id = job.run_id;

CREATE VIEW dim_root AS
SELECT
    root_id,
    arg_max(url, (recorded_at, run_id)) AS url,
    min(recorded_at) AS first_recorded_at,
    max(recorded_at) AS last_recorded_at
FROM (
    SELECT source_root_id AS root_id, source_url AS url, recorded_at, run_id FROM _fact_job
    UNION ALL
    SELECT destination_root_id, destination_url, recorded_at, run_id FROM _fact_job
)
GROUP BY root_id;

CREATE VIEW fact_operation AS FROM _fact_operation;

CREATE VIEW fact_duplicate AS FROM _fact_duplicate;

CREATE VIEW fact_category AS FROM _fact_category;

CREATE VIEW fact_event AS FROM _fact_event;

CREATE VIEW file_versions AS FROM _dim_file;

CREATE VIEW dim_file AS
SELECT
    *,
    recorded_at AS valid_from,
    lead(recorded_at) OVER versions AS valid_to,
    lead(run_id) OVER versions IS NULL AS is_current
FROM _dim_file
WINDOW versions AS (PARTITION BY root_id, key ORDER BY recorded_at, run_id);

CREATE VIEW files AS
SELECT * EXCLUDE (is_deleted, valid_to, is_current)
FROM dim_file
WHERE is_current AND NOT is_deleted;

CREATE VIEW duplicates AS
SELECT * FROM _fact_duplicate
WHERE (root_id, run_id) IN (
    SELECT (root_id, arg_max(run_id, (recorded_at, run_id)))
    FROM (
        SELECT source_root_id AS root_id, run_id, recorded_at FROM _fact_job
        UNION
        SELECT destination_root_id, run_id, recorded_at FROM _fact_job
    )
    GROUP BY root_id
);

CREATE VIEW fact_day AS FROM _fact_day;

CREATE VIEW fact_usage_daily AS FROM _fact_usage_daily;

CREATE VIEW fact_subscription AS FROM _fact_subscription;

CREATE VIEW fact_job_end AS FROM _fact_job_end;
