-- Bytes that equal files waste, by root and category.
SELECT
    d.root_id,
    coalesce(f.category, 'Not categorized') AS category,
    count(*) FILTER (NOT d.is_keeper) AS duplicates,
    sum(d.wasted_bytes) AS wasted_bytes
FROM duplicates AS d
LEFT JOIN files AS f USING (root_id, key)
WHERE d.truth_class = 'full_hash'
GROUP BY ALL
ORDER BY wasted_bytes DESC, d.root_id, category;
