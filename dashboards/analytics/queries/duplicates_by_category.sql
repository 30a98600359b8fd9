-- Extra copies and the bytes they waste, by category.
SELECT
    coalesce(f.category, 'Not categorized') AS category,
    count(*) AS copies,
    sum(d.wasted_bytes)::BIGINT AS wasted_bytes
FROM duplicates AS d
LEFT JOIN files AS f USING (root_id, key)
WHERE d.truth_class = 'full_hash' AND NOT d.is_keeper AND ($root = '' OR d.root_id = $root)
GROUP BY 1
ORDER BY wasted_bytes DESC, category;
