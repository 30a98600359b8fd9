"""Uploads: sessions, promises of storage, what is stored, and how many files there are."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

KINDS_BEFORE = "kind IN ('organize', 'undo', 'reindex', 'verify', 'purge', 'deduplicate')"
KINDS = "kind IN ('organize', 'undo', 'reindex', 'verify', 'purge', 'deduplicate', 'uploaded')"


def upgrade() -> None:
    op.create_table(
        "file_counts",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Order of writing.",
        ),
        sa.Column(
            "user_id",
            sa.UUID(as_uuid=False),
            nullable=False,
            comment="Whose they are. No foreign key: an account's files go after it.",
        ),
        sa.Column(
            "coarse_category", sa.String(length=20), nullable=False, comment="As in `files`."
        ),
        sa.Column("category", sa.String(length=100), nullable=True, comment="As in `files`."),
        sa.Column("files", sa.BigInteger(), nullable=False, comment="Files more, or less."),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="Bytes more, or less."),
        sa.PrimaryKeyConstraint("id", name=("pk_file_counts")),
        comment="Live files of accounts by category, as changes that triggers of `files` append: nobody waits for anybody, and a sum over few rows tells how many of a million there are. Upkeep adds up what is old.",
    )
    op.create_index("idx_file_counts_user", "file_counts", ["user_id"], unique=False)
    op.create_table(
        "storage_ledger",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Order of writing.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column("delta_bytes", sa.BigInteger(), nullable=False, comment="Bytes more, or less."),
        sa.Column("reason", sa.String(length=20), nullable=False, comment="`upload` or `purge`."),
        sa.Column(
            "file_id", sa.UUID(as_uuid=False), nullable=True, comment="File; it may be gone."
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.CheckConstraint("reason IN ('upload', 'purge')", name=("valid_ledger_reason")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=("fk_storage_ledger_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_storage_ledger")),
        comment="Every byte stored and let go; the sum is `users.storage_used_bytes`.",
    )
    op.create_index("idx_ledger_user", "storage_ledger", ["user_id", "id"], unique=False)
    op.create_table(
        "storage_reservations",
        sa.Column(
            "id",
            sa.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column(
            "size_bytes",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Bytes promised.",
        ),
        sa.Column(
            "uploads",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Files counted against the day's limit for it.",
        ),
        sa.Column(
            "counted_on", sa.Date(), nullable=False, comment="Day (UTC) they were counted on."
        ),
        sa.Column(
            "storage_keys",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="Keys it may have written in the storage for uploads.",
        ),
        sa.Column(
            "expires_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When nobody finishes it any more.",
        ),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.CheckConstraint("size_bytes >= 0 AND uploads >= 0", name=("positive_reservation")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=("fk_storage_reservations_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_storage_reservations")),
        comment="Promises of storage; their sum is `users.storage_reserved_bytes`. One that expires is given back, and what its write left is removed.",
    )
    op.create_index("idx_reservations_expiry", "storage_reservations", ["expires_at"], unique=False)
    op.create_index("idx_reservations_user", "storage_reservations", ["user_id"], unique=False)
    op.create_table(
        "upload_sessions",
        sa.Column(
            "id",
            sa.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column(
            "reservation_id",
            sa.UUID(as_uuid=False),
            nullable=True,
            comment="Bytes promised; null once it is finished.",
        ),
        sa.Column("filename", sa.Text(), nullable=False, comment="Name as it was sent."),
        sa.Column("category", sa.String(length=100), nullable=True, comment="Category asked for."),
        sa.Column(
            "tags",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="Tags asked for.",
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="Size announced."),
        sa.Column(
            "received_bytes",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Bytes that are safe.",
        ),
        sa.Column(
            "segments",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="Keys of its segments, in order.",
        ),
        sa.Column(
            "upload_metadata",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="`Upload-Metadata` as it was sent, for HEAD.",
        ),
        sa.Column(
            "held_by", sa.UUID(as_uuid=False), nullable=True, comment="Request that is writing now."
        ),
        sa.Column(
            "held_until",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="When another request may write.",
        ),
        sa.Column(
            "expires_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="When it is given up.",
        ),
        sa.Column("file_id", sa.UUID(as_uuid=False), nullable=True, comment="File it became."),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.CheckConstraint(
            "received_bytes BETWEEN 0 AND size_bytes", name=("received_within_its_size")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=("fk_upload_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_upload_sessions")),
        comment="Resumable uploads: what came so far lies in segments in the storage for uploads, so a killed server loses none of it.",
    )
    op.create_index("idx_upload_sessions_expiry", "upload_sessions", ["expires_at"], unique=False)
    op.create_index("idx_upload_sessions_user", "upload_sessions", ["user_id"], unique=False)
    op.create_table(
        "usage_counters",
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column(
            "metric",
            sa.String(length=50),
            nullable=False,
            comment="Name of the limit in the price list.",
        ),
        sa.Column(
            "period_start", sa.Date(), nullable=False, comment="First day (UTC) of the period."
        ),
        sa.Column(
            "used",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Used so far.",
        ),
        sa.CheckConstraint("used >= 0", name=("positive_use")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=("fk_usage_counters_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "metric", "period_start", name=("pk_usage_counters")),
        comment="Use of limits that begin anew each period, such as `uploads_per_day`.",
    )
    op.add_column(
        "files",
        sa.Column(
            "chosen_category",
            sa.String(length=100),
            nullable=True,
            comment="Category that somebody chose; what rules and models say yields.",
        ),
    )
    op.create_index(
        "idx_files_unpublished",
        "files",
        ["root_id"],
        unique=False,
        postgresql_where="last_job_id IS NULL AND deleted_at IS NULL",
    )
    op.create_index(
        "idx_files_user_coarse",
        "files",
        [
            "user_id",
            "coarse_category",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
        postgresql_where="deleted_at IS NULL",
    )
    op.create_index(
        "idx_files_user_name",
        "files",
        ["user_id", "filename", "id"],
        unique=False,
        postgresql_where="deleted_at IS NULL",
    )
    op.create_index(
        "idx_files_user_size",
        "files",
        ["user_id", "file_size_bytes", "id"],
        unique=False,
        postgresql_where="deleted_at IS NULL",
    )
    op.create_index(
        "idx_files_user_trash",
        "files",
        ["user_id", sa.literal_column("deleted_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where="deleted_at IS NOT NULL AND purge_after IS NOT NULL",
    )
    op.drop_constraint("valid_kind", "organization_jobs")
    op.create_check_constraint("valid_kind", "organization_jobs", KINDS)
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute((Path(__file__).parent / "0006_uploads.sql").read_text())


def downgrade() -> None:
    """Drop everything; uploads stay as files, what was promised and unfinished is forgotten."""
    for event in ("new", "gone", "changed"):
        op.execute(f"DROP TRIGGER count_{event} ON files")
        op.execute(f"DROP FUNCTION count_{event}_files()")
    op.execute("DELETE FROM organization_jobs WHERE kind = 'uploaded'")
    op.drop_constraint("valid_kind", "organization_jobs")
    op.create_check_constraint("valid_kind", "organization_jobs", KINDS_BEFORE)
    op.drop_index(
        "idx_files_user_trash",
        table_name="files",
        postgresql_where="deleted_at IS NOT NULL AND purge_after IS NOT NULL",
    )
    op.drop_index("idx_files_user_size", table_name="files", postgresql_where="deleted_at IS NULL")
    op.drop_index("idx_files_user_name", table_name="files", postgresql_where="deleted_at IS NULL")
    op.drop_index(
        "idx_files_user_coarse", table_name="files", postgresql_where="deleted_at IS NULL"
    )
    op.drop_index(
        "idx_files_unpublished",
        table_name="files",
        postgresql_where="last_job_id IS NULL AND deleted_at IS NULL",
    )
    op.drop_column("files", "chosen_category")
    op.drop_table("usage_counters")
    op.drop_index("idx_upload_sessions_user", table_name="upload_sessions")
    op.drop_index("idx_upload_sessions_expiry", table_name="upload_sessions")
    op.drop_table("upload_sessions")
    op.drop_index("idx_reservations_user", table_name="storage_reservations")
    op.drop_index("idx_reservations_expiry", table_name="storage_reservations")
    op.drop_table("storage_reservations")
    op.drop_index("idx_ledger_user", table_name="storage_ledger")
    op.drop_table("storage_ledger")
    op.drop_index("idx_file_counts_user", table_name="file_counts")
    op.drop_table("file_counts")
