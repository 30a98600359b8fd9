-- Files that are alike, by how they were found, as last looked for; no rule removes them.
SELECT
    coalesce(f.media, 'unknown') AS media,
    d.truth_class AS found_by,
    count(DISTINCT (d.root_id, d.group_id)) AS groups,
    count(*) FILTER (NOT d.is_keeper) AS files,
    min(d.similarity_ratio) AS least_similarity,
    sum(d.wasted_bytes)::BIGINT AS bytes
FROM duplicates AS d
LEFT JOIN files AS f USING (root_id, key)
WHERE d.truth_class <> 'full_hash' AND ($root = '' OR d.root_id = $root)
GROUP BY ALL
ORDER BY bytes DESC, media, found_by;
