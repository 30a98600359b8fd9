-- The product's figures by day, newest first.
FROM kpi_daily ORDER BY day DESC;
