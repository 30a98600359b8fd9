"""What people are told and how, what they say of the product, and duplicates they want hidden."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, created, identifier, reference, updated


class NotificationRow(Base):
    """One thing an account is told."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("idx_notifications_user", "user_id", text("created_at DESC"), text("id DESC")),
        Index("idx_notifications_unread", "user_id", postgresql_where="read_at IS NULL"),
        Index(
            "idx_notifications_job",
            "job_id",
            "attempt",
            unique=True,
            postgresql_where="job_id IS NOT NULL",
        ),
        {
            "comment": "What accounts are told in the product; an insert notifies the channel "
            "`notifications` with `<user_id>:<id>`. The end of a job is told once for each attempt."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Who is told.", ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(50), comment="What it is about, as `job.completed`.")
    title: Mapped[str] = mapped_column(String(200), comment="In a few words.")
    body: Mapped[str] = mapped_column(server_default="", comment="In a sentence.")
    data: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="Ids and counts that a reader may link to."
    )
    job_id: Mapped[str | None] = reference(
        "Job that ended.", ForeignKey("organization_jobs.id", ondelete="CASCADE")
    )
    attempt: Mapped[int | None] = mapped_column(comment="Attempt at the job that ended.")
    read_at: Mapped[datetime | None] = mapped_column(comment="When it was read.")
    created_at: Mapped[datetime] = created()


class NotificationPreferenceRow(Base):
    """How one account wants to be told of one kind of thing."""

    __tablename__ = "notification_preferences"
    __table_args__ = (
        CheckConstraint("kind IN ('jobs', 'security', 'product')", name="valid_topic"),
        {"comment": "How accounts want to be told; what has no row has the defaults."},
    )

    user_id: Mapped[str] = reference(
        "Whose it is.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(
        String(20), primary_key=True, comment="Topic: `jobs`, `security` or `product`."
    )
    in_app: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether it is listed in the product."
    )
    email: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether it is sent by e-mail."
    )
    updated_at: Mapped[datetime] = updated()


class FeedbackRow(Base):
    """What one account said of the product."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 10", name="valid_score"),
        Index("idx_feedback_user", "user_id", text("created_at DESC")),
        {
            "comment": "Answers to how likely one is to recommend the product. The score alone "
            "also becomes an event of type `feedback`, which the KPIs count."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Who said it.", ForeignKey("users.id", ondelete="CASCADE"))
    score: Mapped[int] = mapped_column(SmallInteger(), comment="0 to 10.")
    comment: Mapped[str] = mapped_column(server_default="", comment="In the person's words.")
    created_at: Mapped[datetime] = created()


class DuplicateIgnoreRow(Base):
    """One content whose duplicates are not to be shown."""

    __tablename__ = "duplicate_ignores"
    __table_args__ = (
        {
            "comment": "Contents whose groups of duplicates their owner does not want to see. "
            "Keyed by content, so that it survives renames, moves and other storages."
        },
    )

    user_id: Mapped[str] = reference(
        "Who said so.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="SHA-256 of the group's original."
    )
    ignored_at: Mapped[datetime] = created("When it was said.")
