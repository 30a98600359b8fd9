"""What people are told, what they say, duplicates they hide; events; groups without a scan."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

TELL_OWNER = """
CREATE FUNCTION tell_job_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    job public.organization_jobs%ROWTYPE;
    owner public.users%ROWTYPE;
    wanted public.notification_preferences%ROWTYPE;
    title text;
    body text;
BEGIN
    SELECT * INTO job FROM public.organization_jobs WHERE id = NEW.job_id;
    SELECT * INTO owner FROM public.users WHERE id = job.user_id AND NOT is_system;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.analytics_events (user_id, event_type, event_data)
        VALUES (job.user_id, 'job.ended', jsonb_build_object(
            'job_id', job.id, 'kind', job.kind, 'status', job.status,
            'files_processed', job.files_processed, 'files_moved', job.files_moved,
            'errors_count', job.errors_count));
    -- Upkeep that nobody asked for, such as the nightly index, is nobody's news.
    IF job.kind NOT IN ('organize', 'undo', 'deduplicate') AND NOT EXISTS (
        SELECT FROM public.outbox_events o WHERE o.job_id = job.id AND o.payload ->> 'deployment'
            IN ('reindex/reindex', 'near-duplicates/near-duplicates')) THEN
        RETURN NULL;
    END IF;
    title := CASE job.kind WHEN 'organize' THEN 'Organizing' WHEN 'undo' THEN 'Undoing'
            WHEN 'deduplicate' THEN 'Removing duplicates' ELSE 'Looking for duplicates' END
        || CASE job.status WHEN 'completed' THEN ' is done'
            WHEN 'completed_with_errors' THEN ' is done, with errors'
            WHEN 'canceled' THEN ' was canceled' ELSE ' failed' END;
    body := job.files_processed || ' files dealt with, ' || job.files_moved || ' moved, '
        || job.errors_count || ' errors';
    SELECT * INTO wanted FROM public.notification_preferences
        WHERE user_id = job.user_id AND kind = 'jobs';
    IF coalesce(wanted.in_app, true) THEN
        INSERT INTO public.notifications (user_id, kind, title, body, data, job_id, attempt)
        VALUES (job.user_id, 'job.' || job.status, title, body,
            jsonb_build_object('job_id', job.id, 'job_kind', job.kind, 'status', job.status,
                'files_processed', job.files_processed, 'files_moved', job.files_moved,
                'errors_count', job.errors_count),
            job.id, NEW.attempt)
        ON CONFLICT DO NOTHING;
    END IF;
    IF coalesce(wanted.email, true) AND owner.is_verified AND owner.deleted_at IS NULL THEN
        INSERT INTO public.outgoing_mails (user_id, recipient, template, context)
        VALUES (owner.id, owner.email, 'job_ended', jsonb_build_object(
            'username', owner.username, 'title', title, 'body', body, 'job_id', job.id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_owner AFTER INSERT ON job_events
    FOR EACH ROW WHEN (NEW.kind = 'job:complete') EXECUTE FUNCTION tell_job_owner();

CREATE FUNCTION notify_notification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('notifications', NEW.user_id || ':' || NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER notify_notification AFTER INSERT ON notifications
    FOR EACH ROW EXECUTE FUNCTION notify_notification();

CREATE FUNCTION count_signup() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO public.analytics_events (user_id, event_type) VALUES (NEW.id, 'user.signed_up');
    RETURN NULL;
END $$;
CREATE TRIGGER count_signup AFTER INSERT ON users
    FOR EACH ROW WHEN (NOT NEW.is_system) EXECUTE FUNCTION count_signup();

-- What the pipeline publishes always names its job; what has none was uploaded.
CREATE FUNCTION count_upload() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO public.analytics_events (user_id, event_type, event_data)
        VALUES (NEW.user_id, 'file.uploaded', jsonb_build_object(
            'file_id', NEW.id, 'size_bytes', NEW.file_size_bytes));
    RETURN NULL;
END $$;
CREATE TRIGGER count_upload AFTER INSERT ON files
    FOR EACH ROW WHEN (NEW.last_job_id IS NULL) EXECUTE FUNCTION count_upload();
"""

SEARCH = """
-- Texts belong to contents, not to accounts: a tenant reaches them through its own files only.
CREATE FUNCTION my_passages(query tsquery, contents text[], characters integer, options text)
RETURNS TABLE (sha256 text, passage text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
SELECT t.sha256, ts_headline('public.fileorganizer_text',
           translate(left(t.sample, characters), E'\\x02\\x03', ''), query, options)
  FROM public.content_texts t
 WHERE t.sha256 = ANY(contents) AND t.sample <> ''
   AND EXISTS (SELECT FROM public.files f WHERE f.sha256_hash = t.sha256 AND f.deleted_at IS NULL
       AND f.user_id = nullif(current_setting('app.account_id', true), '')::uuid)
   AND to_tsvector('public.fileorganizer_text', left(t.sample, characters)) @@ query
$$;

-- Vectors, too. The table of a model is made by the pipeline; without it nothing is near.
CREATE FUNCTION my_nearest(model_table text, query text, most integer)
RETURNS TABLE (sha256 text, score double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    me uuid := nullif(current_setting('app.account_id', true), '')::uuid;
BEGIN
    IF model_table !~ '^model_[0-9a-f]{16}$'
        OR to_regclass('vectors.' || model_table) IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('hnsw.ef_search', '200', true);
    RETURN QUERY EXECUTE format(
        'SELECT v.sha256::text, 1 - (v.vector <=> $1::vector) FROM vectors.%I v'
        ' WHERE EXISTS (SELECT FROM files f WHERE f.sha256_hash = v.sha256 AND f.user_id = $2'
        '   AND f.deleted_at IS NULL)'
        ' ORDER BY v.vector <=> $1::vector LIMIT $3', model_table) USING query, me, most;
END $$;
"""


def _whose(comment: str) -> sa.Column[str]:
    return sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment=comment)


def _mine(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_user_id"
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def _moment(name: str, comment: str) -> sa.Column[object]:
    return sa.Column(
        name,
        postgresql.TIMESTAMP(timezone=True),
        server_default=sa.text("CURRENT_TIMESTAMP"),
        nullable=False,
        comment=comment,
    )


def _identity() -> sa.Column[str]:
    made = sa.text("gen_random_uuid()")
    return sa.Column(
        "id", sa.UUID(as_uuid=False), server_default=made, nullable=False, comment="Identity."
    )


def upgrade() -> None:
    op.create_table(
        "duplicate_ignores",
        _whose("Who said so."),
        sa.Column(
            "sha256", sa.String(64), nullable=False, comment="SHA-256 of the group's original."
        ),
        _moment("ignored_at", "When it was said."),
        _mine("duplicate_ignores"),
        sa.PrimaryKeyConstraint("user_id", "sha256", name="pk_duplicate_ignores"),
        comment="Contents whose groups of duplicates their owner does not want to see. Keyed by content, so that it survives renames, moves and other storages.",
    )
    op.create_table(
        "notifications",
        _identity(),
        _whose("Who is told."),
        sa.Column(
            "kind", sa.String(50), nullable=False, comment="What it is about, as `job.completed`."
        ),
        sa.Column("title", sa.String(200), nullable=False, comment="In a few words."),
        sa.Column("body", sa.Text(), server_default="", nullable=False, comment="In a sentence."),
        sa.Column(
            "data",
            postgresql.JSONB(none_as_null=True),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Ids and counts that a reader may link to.",
        ),
        sa.Column("job_id", sa.UUID(as_uuid=False), nullable=True, comment="Job that ended."),
        sa.Column("attempt", sa.Integer(), nullable=True, comment="Attempt at the job that ended."),
        sa.Column(
            "read_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When it was read.",
        ),
        _moment("created_at", "When the row was made."),
        _mine("notifications"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["organization_jobs.id"], name="fk_notifications_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        comment="What accounts are told in the product; an insert notifies the channel `notifications` with `<user_id>:<id>`. The end of a job is told once for each attempt.",
    )
    op.create_index(
        "idx_notifications_user",
        "notifications",
        ["user_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index(
        "idx_notifications_unread",
        "notifications",
        ["user_id"],
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "idx_notifications_job",
        "notifications",
        ["job_id", "attempt"],
        unique=True,
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.create_table(
        "notification_preferences",
        _whose("Whose it is."),
        sa.Column(
            "kind", sa.String(20), nullable=False, comment="Topic: `jobs`, `security` or `product`."
        ),
        sa.Column(
            "in_app",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether it is listed in the product.",
        ),
        sa.Column(
            "email",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether it is sent by e-mail.",
        ),
        _moment("updated_at", "When the row was last changed."),
        sa.CheckConstraint("kind IN ('jobs', 'security', 'product')", name="valid_topic"),
        _mine("notification_preferences"),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_notification_preferences"),
        comment="How accounts want to be told; what has no row has the defaults.",
    )
    op.create_table(
        "feedback",
        _identity(),
        _whose("Who said it."),
        sa.Column("score", sa.SmallInteger(), nullable=False, comment="0 to 10."),
        sa.Column(
            "comment",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="In the person's words.",
        ),
        _moment("created_at", "When the row was made."),
        sa.CheckConstraint("score BETWEEN 0 AND 10", name="valid_score"),
        _mine("feedback"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        comment="Answers to how likely one is to recommend the product. The score alone also becomes an event of type `feedback`, which the KPIs count.",
    )
    op.create_index("idx_feedback_user", "feedback", ["user_id", sa.text("created_at DESC")])
    op.create_index(
        "idx_files_user_content",
        "files",
        ["user_id", "sha256_hash"],
        postgresql_include=["file_size_bytes"],
        postgresql_where=sa.text("deleted_at IS NULL AND sha256_hash IS NOT NULL"),
    )
    op.create_index(
        "idx_analytics_user_recent",
        "analytics_events",
        ["user_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    _run(TELL_OWNER)
    _run(SEARCH)


def _run(statements: str) -> None:
    """Run statements as they are: doubled percent signs and colons are nobody's business here."""
    connection = op.get_bind().connection.driver_connection
    connection.execute(statements)  # type: ignore[union-attr]


def downgrade() -> None:
    _run(
        """
        DROP FUNCTION my_nearest(text, text, integer);
        DROP FUNCTION my_passages(tsquery, text[], integer, text);
        DROP TRIGGER count_upload ON files;
        DROP FUNCTION count_upload();
        DROP TRIGGER count_signup ON users;
        DROP FUNCTION count_signup();
        DROP TRIGGER tell_owner ON job_events;
        DROP FUNCTION tell_job_owner();
        """
    )
    op.drop_index("idx_analytics_user_recent", "analytics_events")
    op.drop_index("idx_files_user_content", "files")
    for table in ("feedback", "notification_preferences", "notifications", "duplicate_ignores"):
        op.drop_table(table)
    op.execute("DROP FUNCTION notify_notification()")
