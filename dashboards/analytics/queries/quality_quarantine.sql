-- Runs in quarantine, the newest first, whenever they were.
SELECT run_id, kind, strftime(recorded_at, '%Y-%m-%d %H:%M') AS recorded_at,
    rows_count AS rows, reasons
FROM published_runs
WHERE status = 'quarantined'
ORDER BY published_runs.recorded_at DESC, run_id
LIMIT 20;
