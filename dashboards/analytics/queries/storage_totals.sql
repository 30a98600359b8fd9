-- Files there are now.
SELECT
    count(*) AS files,
    coalesce(sum(size_bytes), 0)::BIGINT AS bytes,
    count(DISTINCT root_id) AS roots,
    count(DISTINCT category) AS categories,
    count(*) FILTER (problem IS NOT NULL) AS problems
FROM files
WHERE $root = '' OR root_id = $root;
