-- Jobs that ended, by day and how.
SELECT day, status, count(*) AS jobs
FROM fact_job_end
WHERE day BETWEEN $first AND $last
GROUP BY ALL
ORDER BY day, status;
