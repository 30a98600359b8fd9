-- Equal and alike files now; equal ones are those a rule may remove.
SELECT
    count(DISTINCT (root_id, group_id)) FILTER (truth_class = 'full_hash') AS groups,
    count(*) FILTER (truth_class = 'full_hash' AND NOT is_keeper) AS copies,
    coalesce(sum(wasted_bytes) FILTER (truth_class = 'full_hash'), 0)::BIGINT AS wasted_bytes,
    count(DISTINCT (root_id, group_id)) FILTER (truth_class <> 'full_hash') AS alike_groups,
    count(*) FILTER (truth_class <> 'full_hash' AND NOT is_keeper) AS alike
FROM duplicates
WHERE $root = '' OR root_id = $root;
