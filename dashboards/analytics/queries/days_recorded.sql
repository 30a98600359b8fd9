-- Days that are recorded, oldest first.
SELECT day FROM fact_day ORDER BY day;
