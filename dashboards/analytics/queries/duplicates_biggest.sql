-- Groups of equal files that waste most.
SELECT
    any_value(key) FILTER (is_keeper) AS kept,
    count(*) FILTER (NOT is_keeper) AS copies,
    max(size_bytes) AS size_bytes,
    sum(wasted_bytes)::BIGINT AS wasted_bytes
FROM duplicates
WHERE truth_class = 'full_hash' AND ($root = '' OR root_id = $root)
GROUP BY root_id, group_id
ORDER BY wasted_bytes DESC, kept
LIMIT 10;
