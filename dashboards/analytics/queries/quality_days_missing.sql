-- Days of the span that are over and that nobody recorded, after the first that was.
WITH recorded AS (SELECT day::DATE AS day FROM fact_day)
SELECT strftime(s.day, '%Y-%m-%d') AS day
FROM (
    SELECT unnest(generate_series($first::DATE, $last::DATE, INTERVAL 1 DAY))::DATE AS day
) AS s
WHERE s.day < $now::TIMESTAMPTZ::DATE AND s.day > (SELECT min(day) FROM recorded)
    AND NOT EXISTS (FROM recorded AS r WHERE r.day = s.day)
ORDER BY s.day;
