-- What is true of a run as a whole, as (measure, actual, expected). The run's rows at rest are the
-- tables; `expected` holds what was staged and what the ledger counted, as (measure, value).
SELECT 'rows of dim_file' AS measure, count(*) AS actual FROM dim_file
UNION ALL SELECT 'rows of fact_job', count(*) FROM fact_job
UNION ALL SELECT 'rows of fact_operation', count(*) FROM fact_operation
UNION ALL SELECT 'rows of fact_duplicate', count(*) FROM fact_duplicate
UNION ALL SELECT 'rows of fact_category', count(*) FROM fact_category
UNION ALL SELECT 'rows of fact_event', count(*) FROM fact_event
UNION ALL SELECT 'operations in state ' || state, count(*) FROM fact_operation GROUP BY state
UNION ALL SELECT 'operations of the job', operations_count FROM fact_job
UNION ALL SELECT 'operations done, of the job', done_count FROM fact_job
UNION ALL SELECT 'categories of no file version', count(*) FROM fact_category AS c
    WHERE NOT EXISTS (
        FROM dim_file AS f
        WHERE f.root_id = c.root_id AND f.key = c.key AND f.category = c.category
            AND NOT f.is_deleted
    )
UNION ALL SELECT 'file versions without their category', count(*) FROM dim_file AS f
    WHERE f.category IS NOT NULL AND NOT EXISTS (
        FROM fact_category AS c WHERE c.root_id = f.root_id AND c.key = f.key
    )
UNION ALL SELECT 'rows of another run', (
        (SELECT count(*) FROM fact_operation WHERE run_id NOT IN (SELECT run_id FROM fact_job))
        + (SELECT count(*) FROM fact_event WHERE run_id NOT IN (SELECT run_id FROM fact_job))
        + (SELECT count(*) FROM fact_duplicate WHERE run_id NOT IN (SELECT run_id FROM fact_job))
        + (SELECT count(*) FROM dim_file WHERE run_id NOT IN (SELECT run_id FROM fact_job))
    )
UNION ALL SELECT 'duplicate groups without exactly one keeper', count(*) FROM (
        SELECT 1 FROM fact_duplicate GROUP BY root_id, truth_class, group_id
        HAVING count(*) FILTER (is_keeper) <> 1
    )
UNION ALL SELECT 'duplicate groups of one', count(*) FROM (
        SELECT 1 FROM fact_duplicate GROUP BY root_id, truth_class, group_id HAVING count(*) < 2
    )
UNION ALL SELECT 'bytes wasted by no duplicate, of the job',
    (SELECT sum(wasted_bytes) FROM fact_job)
    - (SELECT coalesce(sum(wasted_bytes), 0) FROM fact_duplicate WHERE truth_class = 'full_hash')
UNION ALL SELECT 'duplicates in no group, of the job',
    (SELECT sum(duplicates_count) FROM fact_job)
    - (SELECT count(*) FROM fact_duplicate WHERE truth_class = 'full_hash' AND NOT is_keeper)
UNION ALL SELECT 'members that a rule may remove and no full hash proves', count(*)
    FROM fact_duplicate WHERE is_removable AND truth_class <> 'full_hash'
UNION ALL SELECT 'gaps in the numbers of events',
    (SELECT coalesce(max(seq) - min(seq) + 1 - count(*), 0) FROM fact_event)
