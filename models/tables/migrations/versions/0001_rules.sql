-- What tables alone cannot say: steps of a job's life, promotion of duplicates, notifications,
-- journals that go with their job, and months of analytics.

CREATE FUNCTION refuse_illegal_job_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('running', 'canceled', 'failed')
        WHEN 'running' THEN NEW.status IN
            ('pending', 'canceling', 'completed', 'completed_with_errors', 'failed', 'canceled')
        WHEN 'canceling' THEN NEW.status IN
            ('canceled', 'failed', 'completed', 'completed_with_errors')
        WHEN 'completed' THEN NEW.status = 'undone'
        WHEN 'completed_with_errors' THEN NEW.status = 'undone'
        WHEN 'failed' THEN NEW.status IN ('running', 'undone')
        WHEN 'canceled' THEN NEW.status IN ('running', 'undone')
        ELSE false
    END) THEN
        RAISE EXCEPTION 'a % job cannot become %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'legal_status_step';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER legal_status_step BEFORE UPDATE OF status ON organization_jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION refuse_illegal_job_status();

CREATE FUNCTION delete_journal_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM organization_operations WHERE job_id = OLD.id;
    DELETE FROM journal_folders WHERE job_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER delete_journal AFTER DELETE ON organization_jobs
    FOR EACH ROW EXECUTE FUNCTION delete_journal_of_job();

CREATE FUNCTION promote_duplicate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    heir uuid;
BEGIN
    SELECT id INTO heir FROM files
        WHERE duplicate_of = OLD.id AND deleted_at IS NULL
        ORDER BY created_at, id LIMIT 1 FOR UPDATE;
    IF heir IS NOT NULL THEN
        UPDATE files SET duplicate_of = NULLIF(heir, id), is_duplicate = (id <> heir)
            WHERE duplicate_of = OLD.id AND (deleted_at IS NULL OR id = heir);
    END IF;
    RETURN NULL;
END $$;

-- Triggers of one event fire in the order of their names. The capital P stands before the R of
-- RI_ConstraintTrigger, which sets duplicate_of to null: afterwards nobody knows the group.
CREATE TRIGGER "Promote_on_delete" AFTER DELETE ON files
    FOR EACH ROW WHEN (NOT OLD.is_duplicate) EXECUTE FUNCTION promote_duplicate();

CREATE TRIGGER "Promote_on_trash" AFTER UPDATE OF deleted_at ON files
    FOR EACH ROW
    WHEN (NOT OLD.is_duplicate AND OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION promote_duplicate();

CREATE FUNCTION settle_duplicate_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.is_keeper THEN
        UPDATE duplicate_members SET is_keeper = true, wasted_bytes = 0
            WHERE (group_id, file_id) = (
                SELECT m.group_id, m.file_id FROM duplicate_members m JOIN files f ON f.id = m.file_id
                WHERE m.group_id = OLD.group_id ORDER BY f.created_at, f.id LIMIT 1);
    END IF;
    UPDATE duplicate_groups g SET files_count = s.files, wasted_bytes = s.bytes
        FROM (SELECT count(*) AS files, coalesce(sum(wasted_bytes), 0) AS bytes
              FROM duplicate_members WHERE group_id = OLD.group_id) s
        WHERE g.id = OLD.group_id;
    RETURN NULL;
END $$;

CREATE TRIGGER settle_group AFTER DELETE ON duplicate_members
    FOR EACH ROW EXECUTE FUNCTION settle_duplicate_group();

CREATE FUNCTION notify_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('job_events', NEW.job_id || ':' || NEW.seq);
    RETURN NULL;
END $$;

CREATE TRIGGER notify_event AFTER INSERT ON job_events
    FOR EACH ROW EXECUTE FUNCTION notify_job_event();

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox_events', NEW.id::text);
    RETURN NULL;
END $$;

CREATE TRIGGER notify_outbox AFTER INSERT ON outbox_events
    FOR EACH ROW EXECUTE FUNCTION notify_outbox();

CREATE TABLE analytics_events_default PARTITION OF analytics_events DEFAULT;

-- Make the partitions of `months` months from the one of `first` on; rows that already went to
-- the default partition move over. Returns how many were made.
CREATE FUNCTION ensure_analytics_partitions(first date, months integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0;
    low timestamptz;
    high timestamptz;
    name text;
BEGIN
    FOR step IN 0 .. months - 1 LOOP
        low := (date_trunc('month', first::timestamp) + make_interval(months => step))
            AT TIME ZONE 'UTC';
        high := (date_trunc('month', first::timestamp) + make_interval(months => step + 1))
            AT TIME ZONE 'UTC';
        name := 'analytics_events_' || to_char(low AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE analytics_events INCLUDING DEFAULTS)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM analytics_events_default'
            ' WHERE created_at >= %L AND created_at < %L RETURNING *)'
            ' INSERT INTO %I SELECT * FROM moved', low, high, name);
        EXECUTE format(
            'ALTER TABLE analytics_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, low, high);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
