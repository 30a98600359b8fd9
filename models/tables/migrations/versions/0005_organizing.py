"""What accounts set up for their jobs: connections, rules, schedules; previews and pauses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "connections",
        sa.Column(
            "id",
            sa.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column("type", sa.String(length=20), nullable=False, comment="`local`, `s3` or `r2`."),
        sa.Column(
            "name",
            sa.String(length=200),
            server_default="",
            nullable=False,
            comment="Name given by its owner.",
        ),
        sa.Column("root_url", sa.Text(), nullable=False, comment="Canonical URL of its root."),
        sa.Column(
            "endpoint_url",
            sa.Text(),
            nullable=True,
            comment="S3-compatible server; null is AWS itself, or a local folder.",
        ),
        sa.Column("region", sa.String(length=60), nullable=True, comment="Region of the bucket."),
        sa.Column(
            "sealed_credentials",
            sa.Text(),
            nullable=True,
            comment="Access key and secret, encrypted and bound to this row; never answered back.",
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was last changed.",
        ),
        sa.CheckConstraint(
            "(type = 'local') = (sealed_credentials IS NULL)", name=op.f("credentials_for_buckets")
        ),
        sa.CheckConstraint("type IN ('local', 's3', 'r2')", name=op.f("valid_connection_type")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_connections_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("user_id", "root_url", name=op.f("uq_connections_user_id_root_url")),
        comment="Storage that accounts connected; a job names it as `connection_id:/path`.",
    )
    op.create_table(
        "rules",
        sa.Column(
            "id",
            sa.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column(
            "priority", sa.Integer(), nullable=False, comment="Smaller ones are asked first."
        ),
        sa.Column(
            "condition",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            comment="`when`: what a file must be.",
        ),
        sa.Column(
            "action",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            comment="`then`: what becomes of it.",
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_rules_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules")),
        comment="Organizing rules of accounts; a job keeps those it was asked for with.",
    )
    op.create_index("idx_rules_user", "rules", ["user_id", "priority"], unique=False)
    op.create_table(
        "folder_styles",
        sa.Column("root_id", sa.UUID(as_uuid=False), nullable=False, comment="Root."),
        sa.Column("folder", sa.Text(), nullable=False, comment="Path of the folder in the root."),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column("icon", sa.String(length=50), nullable=False, comment="Name of an icon."),
        sa.Column("color", sa.String(length=7), nullable=False, comment="Color, `#rrggbb`."),
        sa.Column(
            "job_id", sa.UUID(as_uuid=False), nullable=True, comment="Job that applied it last."
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["organization_jobs.id"],
            name=op.f("fk_folder_styles_job_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_folder_styles_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["root_id"],
            ["storage_roots.id"],
            name=op.f("fk_folder_styles_root_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("root_id", "folder", name=op.f("pk_folder_styles")),
        comment="Icons and colors of organized folders, where a job was asked to apply them.",
    )
    op.create_table(
        "schedules",
        sa.Column(
            "id",
            sa.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column("cron", sa.String(length=200), nullable=False, comment="Five fields of cron."),
        sa.Column(
            "timezone",
            sa.String(length=64),
            server_default="UTC",
            nullable=False,
            comment="IANA name of the clock that `cron` reads.",
        ),
        sa.Column(
            "job_template",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            comment="Body of `POST /organize/jobs` that is asked for.",
        ),
        sa.Column(
            "is_active",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether it makes jobs.",
        ),
        sa.Column(
            "next_due_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When the next job is to be made.",
        ),
        sa.Column(
            "last_due_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Due time that was dealt with last.",
        ),
        sa.Column("last_job_id", sa.UUID(as_uuid=False), nullable=True, comment="Job made last."),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="Why the last due time made no job, in words.",
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["last_job_id"],
            ["organization_jobs.id"],
            name=op.f("fk_schedules_last_job_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_schedules_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        comment="Schedules; the job of a due time is written in one transaction with the next due time, so there is exactly one.",
    )
    op.create_index(
        "idx_schedules_due",
        "schedules",
        ["next_due_at"],
        unique=False,
        postgresql_where="is_active",
    )
    op.create_index("idx_schedules_user", "schedules", ["user_id"], unique=False)
    op.add_column(
        "files",
        sa.Column(
            "virtual_path",
            sa.Text(),
            nullable=True,
            comment="Uploads: path shown below `/uploads`, given by organizing; null: just its name.",
        ),
    )
    op.add_column(
        "organization_jobs",
        sa.Column(
            "schedule_id", sa.UUID(as_uuid=False), nullable=True, comment="Schedule that made it."
        ),
    )
    op.add_column(
        "organization_jobs",
        sa.Column(
            "submitted_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=True,
            comment="When it was asked for; null while it is a preview only.",
        ),
    )
    op.add_column(
        "organization_jobs",
        sa.Column(
            "paused_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When somebody asked it to rest; null once it may go on.",
        ),
    )
    op.execute("UPDATE organization_jobs SET submitted_at = created_at")
    op.create_index(
        "idx_jobs_user_newest",
        "organization_jobs",
        ["user_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.add_column(
        "organization_plans",
        sa.Column(
            "sample",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Its first operations, as a preview shows them.",
        ),
    )
    op.add_column(
        "organization_plans",
        sa.Column(
            "listing",
            sa.Text(),
            nullable=True,
            comment="Digest of the source's listing that it was made from.",
        ),
    )
    op.add_column(
        "storage_roots",
        sa.Column(
            "connection_id",
            sa.UUID(as_uuid=False),
            nullable=True,
            comment="Connection it is reached by; null for uploads, for the command line's folders, and once the connection was removed.",
        ),
    )
    op.create_foreign_key(
        op.f("fk_storage_roots_connection_id"),
        "storage_roots",
        "connections",
        ["connection_id"],
        ["id"],
        ondelete="SET NULL",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_storage_roots_connection_id"), "storage_roots", type_="foreignkey")
    op.drop_column("storage_roots", "connection_id")
    op.drop_column("organization_plans", "listing")
    op.drop_column("organization_plans", "sample")
    op.drop_index("idx_jobs_user_newest", table_name="organization_jobs")
    op.drop_column("organization_jobs", "paused_at")
    op.drop_column("organization_jobs", "submitted_at")
    op.drop_column("organization_jobs", "schedule_id")
    op.drop_column("files", "virtual_path")
    op.drop_index("idx_schedules_user", table_name="schedules")
    op.drop_index("idx_schedules_due", table_name="schedules", postgresql_where="is_active")
    op.drop_table("schedules")
    op.drop_table("folder_styles")
    op.drop_index("idx_rules_user", table_name="rules")
    op.drop_table("rules")
    op.drop_table("connections")
