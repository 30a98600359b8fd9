-- What a job did, in order. $job_id: the job.
SELECT seq, action, state, source_key, destination_key, size_bytes, reason, error
FROM fact_operation
WHERE run_id = $job_id
ORDER BY seq;
