-- Roots that have files or that runs told of, the biggest first.
WITH stored AS (SELECT root_id, sum(size_bytes)::BIGINT AS bytes FROM files GROUP BY root_id)
SELECT
    root_id,
    coalesce(r.url, 'root ' || left(root_id, 8)) AS name,
    coalesce(s.bytes, 0) AS bytes
FROM dim_root AS r
FULL JOIN stored AS s USING (root_id)
ORDER BY bytes DESC, name;
