-- Jobs, newest first.
SELECT
    run_id, kind, status, mode, operation, files_count, done_count, errors_count,
    duplicates_count, wasted_bytes, started_at, recorded_at, undone_by
FROM fact_job
ORDER BY recorded_at DESC, run_id;
