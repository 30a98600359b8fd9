"""Visits to every root, and the shares of a big job, as the database knows them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, created, identifier, reference


class SweepRow(Base):
    """One visit to every root."""

    __tablename__ = "sweeps"
    __table_args__ = (
        Index("idx_sweeps_open", "kind", unique=True, postgresql_where="finished_at IS NULL"),
        {"comment": "Visits to every root; of each kind at most one is open."},
    )

    id: Mapped[str] = identifier()
    kind: Mapped[str] = mapped_column(String(20), comment="Kind of its jobs.")
    bundles: Mapped[list[Any]] = mapped_column(
        JSONB(none_as_null=True),
        comment="What it visits: accounts, each with the roots that one flow run takes.",
    )
    started_at: Mapped[datetime] = created("When it was begun.")
    finished_at: Mapped[datetime | None] = mapped_column(
        comment="When its last root was visited, or it was given up."
    )


class JobShardRow(Base):
    """One share of a job that several flow runs carry out."""

    __tablename__ = "job_shards"
    __table_args__ = (
        CheckConstraint("first_batch >= 0 AND last_batch > first_batch", name="valid_batches"),
        {"comment": "Shares of big jobs, by ranges of keys; each is finished by one holder."},
    )

    job_id: Mapped[str] = reference(
        "Job.", ForeignKey("organization_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(
        Integer(), primary_key=True, autoincrement=False, comment="From 0, in the order of keys."
    )
    first_batch: Mapped[int] = mapped_column(comment="Its first batch.")
    last_batch: Mapped[int] = mapped_column(comment="The batch after its last.")
    lease_owner: Mapped[str | None] = mapped_column(comment="Worker that holds it; null when none.")
    lease_epoch: Mapped[int] = mapped_column(
        server_default=text("0"), comment="Fencing number: raised by each new holder."
    )
    lease_expires_at: Mapped[datetime | None] = mapped_column(
        comment="When another worker may take it."
    )
    done_at: Mapped[datetime | None] = mapped_column(comment="When it was finished, once.")
    parts: Mapped[list[Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="References to the parts in the lake that it made."
    )
