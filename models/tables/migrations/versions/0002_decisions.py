"""Decisions on duplicates, keyed by content; jobs that remove duplicates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

KINDS_BEFORE = "kind IN ('organize', 'undo', 'reindex', 'verify', 'purge')"
KINDS = "kind IN ('organize', 'undo', 'reindex', 'verify', 'purge', 'deduplicate')"


def upgrade() -> None:
    op.create_table(
        "duplicate_decisions",
        sa.Column(
            "user_id", postgresql.UUID(as_uuid=False), nullable=False, comment="Who decided."
        ),
        sa.Column(
            "sha256",
            sa.String(64),
            nullable=False,
            comment="SHA-256 of the content; of a pair the smaller one.",
        ),
        sa.Column(
            "other_sha256",
            sa.String(64),
            nullable=False,
            comment="The larger one of a pair; the same again where one content stays.",
        ),
        sa.Column(
            "kind",
            sa.String(20),
            nullable=False,
            comment="`not_duplicate` of a pair, `keep` of one content.",
        ),
        sa.Column(
            "kept_key",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="The file that was named; it decides among equal bytes.",
        ),
        sa.Column(
            "note",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Why, in the person's words.",
        ),
        sa.Column(
            "decided_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When it was decided last.",
        ),
        sa.CheckConstraint("kind IN ('not_duplicate', 'keep')", name="valid_decision"),
        sa.CheckConstraint(
            "sha256 <= other_sha256 AND (kind = 'keep') = (sha256 = other_sha256)",
            name="ordered_pair",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_duplicate_decisions_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "sha256", "other_sha256", name="pk_duplicate_decisions"),
        comment="What people decided of contents. Keyed by content, so that it survives renames, moves and other storages.",
    )
    _set_kinds(KINDS)


def downgrade() -> None:
    """Jobs of the newer kind cannot stay: with them their journals go, not what they did."""
    op.execute("DELETE FROM organization_jobs WHERE kind = 'deduplicate'")
    _set_kinds(KINDS_BEFORE)
    op.drop_table("duplicate_decisions")


def _set_kinds(rule: str) -> None:
    op.drop_constraint("valid_kind", "organization_jobs")
    op.create_check_constraint("valid_kind", "organization_jobs", rule)
