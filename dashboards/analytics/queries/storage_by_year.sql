-- Bytes by the year the files were made, as they tell it or by their modification time.
SELECT
    coalesce(left(captured_at, 4), strftime(modified_at, '%Y'), 'unknown') AS year,
    coarse_category AS kind,
    count(*) AS files,
    sum(size_bytes)::BIGINT AS bytes
FROM files
WHERE $root = '' OR root_id = $root
GROUP BY ALL
ORDER BY year, kind;
