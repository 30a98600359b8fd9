-- Why files could not be read in full, most frequent first.
SELECT problem, count(*) AS files
FROM files
WHERE problem IS NOT NULL AND ($root = '' OR root_id = $root)
GROUP BY problem
ORDER BY files DESC, problem
LIMIT 10;
