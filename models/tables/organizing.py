"""What an account sets up for its jobs: connected storage, rules, schedules, folder styles."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, created, identifier, reference, updated


class ConnectionRow(Base):
    """One folder or bucket that an account connected."""

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("user_id", "root_url"),
        CheckConstraint("type IN ('local', 's3', 'r2')", name="valid_connection_type"),
        CheckConstraint(
            "(type = 'local') = (sealed_credentials IS NULL)", name="credentials_for_buckets"
        ),
        {"comment": "Storage that accounts connected; a job names it as `connection_id:/path`."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(20), comment="`local`, `s3` or `r2`.")
    name: Mapped[str] = mapped_column(
        String(200), server_default="", comment="Name given by its owner."
    )
    root_url: Mapped[str] = mapped_column(comment="Canonical URL of its root.")
    endpoint_url: Mapped[str | None] = mapped_column(
        comment="S3-compatible server; null is AWS itself, or a local folder."
    )
    region: Mapped[str | None] = mapped_column(String(60), comment="Region of the bucket.")
    sealed_credentials: Mapped[str | None] = mapped_column(
        comment="Access key and secret, encrypted and bound to this row; never answered back."
    )
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = updated()


class RuleRow(Base):
    """One of an account's own organizing rules."""

    __tablename__ = "rules"
    __table_args__ = (
        Index("idx_rules_user", "user_id", "priority"),
        {"comment": "Organizing rules of accounts; a job keeps those it was asked for with."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    priority: Mapped[int] = mapped_column(comment="Smaller ones are asked first.")
    condition: Mapped[dict[str, Any]] = mapped_column(comment="`when`: what a file must be.")
    action: Mapped[dict[str, Any]] = mapped_column(comment="`then`: what becomes of it.")
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = updated()


class ScheduleRow(Base):
    """One job that is to be made again and again."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index("idx_schedules_user", "user_id"),
        Index("idx_schedules_due", "next_due_at", postgresql_where="is_active"),
        {
            "comment": "Schedules; the job of a due time is written in one transaction with the "
            "next due time, so there is exactly one."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    cron: Mapped[str] = mapped_column(String(200), comment="Five fields of cron.")
    timezone: Mapped[str] = mapped_column(
        String(64), server_default="UTC", comment="IANA name of the clock that `cron` reads."
    )
    job_template: Mapped[dict[str, Any]] = mapped_column(
        comment="Body of `POST /organize/jobs` that is asked for."
    )
    is_active: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether it makes jobs."
    )
    next_due_at: Mapped[datetime] = mapped_column(comment="When the next job is to be made.")
    last_due_at: Mapped[datetime | None] = mapped_column(
        comment="Due time that was dealt with last."
    )
    last_job_id: Mapped[str | None] = reference(
        "Job made last.", ForeignKey("organization_jobs.id", ondelete="SET NULL")
    )
    last_error: Mapped[str | None] = mapped_column(
        comment="Why the last due time made no job, in words."
    )
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = updated()


class FolderStyleRow(Base):
    """Icon and color of one folder."""

    __tablename__ = "folder_styles"
    __table_args__ = (
        {"comment": "Icons and colors of organized folders, where a job was asked to apply them."},
    )

    root_id: Mapped[str] = reference(
        "Root.", ForeignKey("storage_roots.id", ondelete="CASCADE"), primary_key=True
    )
    folder: Mapped[str] = mapped_column(primary_key=True, comment="Path of the folder in the root.")
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    icon: Mapped[str] = mapped_column(String(50), comment="Name of an icon.")
    color: Mapped[str] = mapped_column(String(7), comment="Color, `#rrggbb`.")
    job_id: Mapped[str | None] = reference(
        "Job that applied it last.", ForeignKey("organization_jobs.id", ondelete="SET NULL")
    )
