-- Prefect's own database beside ours; it needs pg_trgm.
CREATE DATABASE prefect;
\connect prefect
CREATE EXTENSION pg_trgm;
