"""Requests that may come twice and take effect once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

ID = postgresql.UUID(as_uuid=False)
TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "key_hash",
            sa.String(64),
            nullable=False,
            comment="SHA-256 over the caller and the key.",
        ),
        sa.Column("user_id", ID, nullable=True, comment="Who asked; null without a token."),
        sa.Column(
            "request_hash",
            sa.String(64),
            nullable=True,
            comment="SHA-256 over method, path, query and body; null until answered.",
        ),
        sa.Column(
            "claim",
            ID,
            nullable=False,
            comment="The one that carries it out; others wait or are refused.",
        ),
        sa.Column("claimed_until", TIME, nullable=False, comment="When another may take over."),
        sa.Column(
            "has_effect",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether something was committed; then it is never carried out again.",
        ),
        sa.Column(
            "answer",
            sa.LargeBinary(),
            nullable=True,
            comment="Status, headers and body, encrypted; null until answered.",
        ),
        sa.Column(
            "created_at",
            TIME,
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was made.",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_idempotency_keys_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_hash", name="pk_idempotency_keys"),
        comment="Keys of requests, with their answers for a day; neither can be read here.",
    )
    op.create_index("idx_idempotency_created", "idempotency_keys", ["created_at"])
    op.create_index("idx_idempotency_user", "idempotency_keys", ["user_id"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
