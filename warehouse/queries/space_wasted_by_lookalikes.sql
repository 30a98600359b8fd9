-- Bytes that near-duplicates waste, by root, media and class of truth, as last looked for.
SELECT
    d.root_id,
    coalesce(f.media, 'unknown') AS media,
    d.truth_class,
    count(DISTINCT d.group_id) AS groups,
    count(*) FILTER (NOT d.is_keeper) AS files,
    min(d.similarity_ratio) AS least_similarity_ratio,
    sum(d.wasted_bytes) AS wasted_bytes
FROM duplicates AS d
LEFT JOIN files AS f USING (root_id, key)
WHERE d.truth_class <> 'full_hash'
GROUP BY ALL
ORDER BY wasted_bytes DESC, d.root_id, media, d.truth_class;
