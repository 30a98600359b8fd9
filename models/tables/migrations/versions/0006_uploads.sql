-- How many live files accounts have, told by every statement that changes it. Changes are appended
-- and never updated, so that a publisher of a million files and an upload do not wait for each other.

CREATE FUNCTION count_new_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO file_counts (user_id, coarse_category, category, files, size_bytes)
    SELECT user_id, coarse_category, category, count(*), sum(file_size_bytes)
      FROM after_rows WHERE deleted_at IS NULL GROUP BY user_id, coarse_category, category;
    RETURN NULL;
END $$;

CREATE FUNCTION count_gone_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO file_counts (user_id, coarse_category, category, files, size_bytes)
    SELECT user_id, coarse_category, category, -count(*), -sum(file_size_bytes)
      FROM before_rows WHERE deleted_at IS NULL GROUP BY user_id, coarse_category, category;
    RETURN NULL;
END $$;

CREATE FUNCTION count_changed_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO file_counts (user_id, coarse_category, category, files, size_bytes)
    SELECT user_id, coarse_category, category, sum(n), sum(n * file_size_bytes)
      FROM (SELECT user_id, coarse_category, category, file_size_bytes, 1 AS n
              FROM after_rows WHERE deleted_at IS NULL
             UNION ALL
            SELECT user_id, coarse_category, category, file_size_bytes, -1
              FROM before_rows WHERE deleted_at IS NULL) AS changes
     GROUP BY user_id, coarse_category, category
    HAVING sum(n) <> 0 OR sum(n * file_size_bytes) <> 0;
    RETURN NULL;
END $$;

CREATE TRIGGER count_new AFTER INSERT ON files REFERENCING NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_new_files();
CREATE TRIGGER count_gone AFTER DELETE ON files REFERENCING OLD TABLE AS before_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_gone_files();
CREATE TRIGGER count_changed AFTER UPDATE ON files
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_changed_files();

INSERT INTO file_counts (user_id, coarse_category, category, files, size_bytes)
SELECT user_id, coarse_category, category, count(*), sum(file_size_bytes)
  FROM files WHERE deleted_at IS NULL GROUP BY user_id, coarse_category, category;
