"""Visits to every root in flow runs side by side; shares of big jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

TIME = postgresql.TIMESTAMP(timezone=True)
ID = postgresql.UUID(as_uuid=False)


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column(
            "id",
            ID,
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity.",
        ),
        sa.Column("kind", sa.String(20), nullable=False, comment="Kind of its jobs."),
        sa.Column(
            "bundles",
            postgresql.JSONB(),
            nullable=False,
            comment="What it visits: accounts, each with the roots that one flow run takes.",
        ),
        sa.Column(
            "started_at",
            TIME,
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When it was begun.",
        ),
        sa.Column(
            "finished_at", TIME, comment="When its last root was visited, or it was given up."
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sweeps"),
        comment="Visits to every root; of each kind at most one is open.",
    )
    op.create_index(
        "idx_sweeps_open", "sweeps", ["kind"], unique=True, postgresql_where="finished_at IS NULL"
    )
    op.create_table(
        "job_shards",
        sa.Column("job_id", ID, nullable=False, comment="Job."),
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="From 0, in the order of keys.",
        ),
        sa.Column("first_batch", sa.Integer(), nullable=False, comment="Its first batch."),
        sa.Column("last_batch", sa.Integer(), nullable=False, comment="The batch after its last."),
        sa.Column("lease_owner", sa.Text(), comment="Worker that holds it; null when none."),
        sa.Column(
            "lease_epoch",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Fencing number: raised by each new holder.",
        ),
        sa.Column("lease_expires_at", TIME, comment="When another worker may take it."),
        sa.Column("done_at", TIME, comment="When it was finished, once."),
        sa.Column(
            "parts", postgresql.JSONB(), comment="References to the parts in the lake that it made."
        ),
        sa.CheckConstraint("first_batch >= 0 AND last_batch > first_batch", name="valid_batches"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["organization_jobs.id"], name="fk_job_shards_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_job_shards"),
        comment="Shares of big jobs, by ranges of keys; each is finished by one holder.",
    )


def downgrade() -> None:
    """Drop both; open sweeps begin anew."""
    op.drop_table("job_shards")
    op.drop_table("sweeps")
