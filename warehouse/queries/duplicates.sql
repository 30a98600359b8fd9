-- Groups of equal files, most wasted bytes first: what is kept, and how much a removal would free.
SELECT
    root_id,
    group_id,
    count(*) AS files,
    max(size_bytes) AS size_bytes,
    sum(wasted_bytes) AS wasted_bytes,
    any_value(key) FILTER (is_keeper) AS kept
FROM duplicates
WHERE truth_class = 'full_hash'
GROUP BY root_id, group_id
ORDER BY wasted_bytes DESC, root_id, group_id;
