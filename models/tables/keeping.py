"""What is kept about accounts: audit log, preferences, consents, exports and deletions."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, count, created, identifier, reference, updated


class AuditLogRow(Base):
    """One entry of an account's chain (`models.domain.audit`)."""

    __tablename__ = "audit_log"
    __table_args__ = (
        UniqueConstraint("user_id", "seq"),
        CheckConstraint("seq >= 1", name="positive_audit_seq"),
        {
            "comment": "What was done with accounts, chained by hashes for each account; rows are "
            "never changed but for the erasure of what is personal."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose account it concerns.", ForeignKey("users.id"))
    seq: Mapped[int] = mapped_column(BigInteger(), comment="From 1, without gaps in an account.")
    at: Mapped[datetime] = mapped_column(comment="When it was done.")
    action: Mapped[str] = mapped_column(String(100), comment="What was done.")
    actor: Mapped[str | None] = mapped_column(
        comment="Who did it: an account or `system`; null after erasure."
    )
    target: Mapped[str | None] = mapped_column(
        comment="What it was done to; null where nothing more is to be said, and after erasure."
    )
    ip: Mapped[str | None] = mapped_column(INET(), comment="From where; null after erasure.")
    personal_salt: Mapped[bytes | None] = mapped_column(
        LargeBinary(), comment="Salt of `personal_digest`; null after erasure."
    )
    personal_digest: Mapped[str] = mapped_column(
        String(64), comment="HMAC-SHA-256 of actor, target and address: they enter the chain by it."
    )
    previous_hash: Mapped[str] = mapped_column(
        String(64), comment="Hash of the entry before; zeros for the first."
    )
    hash: Mapped[str] = mapped_column(String(64), comment="SHA-256 over the entry and the former.")


class PreferencesRow(Base):
    """How one person likes the product."""

    __tablename__ = "user_preferences"
    __table_args__ = (
        CheckConstraint("theme IN ('system', 'light', 'dark')", name="valid_theme"),
        {"comment": "Preferences; an account without a row has the defaults."},
    )

    user_id: Mapped[str] = reference(
        "Whose they are.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    theme: Mapped[str] = mapped_column(
        String(20), server_default="system", comment="`system`, `light` or `dark`."
    )
    locale: Mapped[str] = mapped_column(
        String(35), server_default="en", comment="Language tag (BCP 47)."
    )
    timezone: Mapped[str] = mapped_column(
        String(64), server_default="UTC", comment="Name in the IANA time zone database."
    )
    default_mode: Mapped[str] = mapped_column(
        String(50), server_default="category_year", comment="Mode that a new job starts from."
    )
    default_operation: Mapped[str] = mapped_column(
        String(20), server_default="move", comment="`move` or `copy`."
    )
    updated_at: Mapped[datetime] = updated()


class ConsentRow(Base):
    """One decision on a consent; the newest of a kind counts."""

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint("kind IN ('terms', 'marketing', 'analytics')", name="valid_consent"),
        Index("idx_consents_user", "user_id", "kind", text("id DESC")),
        {"comment": "What people agreed to and took back, as a history."},
    )

    id: Mapped[int] = mapped_column(
        BigInteger(), Identity(), primary_key=True, comment="Order of deciding."
    )
    user_id: Mapped[str] = reference("Who decided.", ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20), comment="`terms`, `marketing` or `analytics`.")
    version: Mapped[str] = mapped_column(String(20), comment="Version of what was agreed to.")
    is_granted: Mapped[bool] = mapped_column(comment="Whether it was given; otherwise taken back.")
    at: Mapped[datetime] = created("When it was decided.")
    ip: Mapped[str | None] = mapped_column(INET(), comment="From where.")


class ExportRow(Base):
    """One copy of everything of an account, for its owner."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'running', 'ready', 'failed', 'expired')",
            name="valid_export_status",
        ),
        CheckConstraint("size_bytes >= 0", name="positive_export_size"),
        Index("idx_exports_user", "user_id", text("created_at DESC")),
        {"comment": "Exports of accounts: zip files in managed storage for some days."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = reference(
        "Job that makes it.", ForeignKey("organization_jobs.id", ondelete="SET NULL")
    )
    status: Mapped[str] = mapped_column(
        String(20), server_default="pending", comment="Where it stands."
    )
    include: Mapped[list[str]] = mapped_column(comment="What was asked for.")
    storage_url: Mapped[str | None] = mapped_column(comment="Root the zip lies in.")
    storage_key: Mapped[str | None] = mapped_column(comment="Its key there.")
    size_bytes: Mapped[int] = count("Size of the zip.", large=True)
    sha256: Mapped[str | None] = mapped_column(String(64), comment="SHA-256 of the zip.")
    files_count: Mapped[int] = count("Files of the customer in it.")
    missing_count: Mapped[int] = count("Files that could not be read; the zip names them.")
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in words.")
    created_at: Mapped[datetime] = created("When it was asked for.")
    ready_at: Mapped[datetime | None] = mapped_column(comment="When the zip was there.")
    expires_at: Mapped[datetime | None] = mapped_column(comment="When the zip is removed.")


class DeletionRequestRow(Base):
    """One wish to be forgotten."""

    __tablename__ = "deletion_requests"
    __table_args__ = (
        Index(
            "idx_deletions_open",
            "user_id",
            unique=True,
            postgresql_where="canceled_at IS NULL AND completed_at IS NULL",
        ),
        Index(
            "idx_deletions_due",
            "scheduled_for",
            postgresql_where="canceled_at IS NULL AND completed_at IS NULL",
        ),
        {"comment": "Deletions of accounts: asked for, perhaps taken back, carried out."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose account.", ForeignKey("users.id"))
    requested_at: Mapped[datetime] = created("When it was asked for.")
    scheduled_for: Mapped[datetime] = mapped_column(comment="Not to be carried out before.")
    started_at: Mapped[datetime | None] = mapped_column(
        comment="When erasure began; from then on nobody takes it back."
    )
    canceled_at: Mapped[datetime | None] = mapped_column(comment="When it was taken back.")
    completed_at: Mapped[datetime | None] = mapped_column(comment="When nothing was left.")
    counts: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="What was erased: rows and bytes, by kind."
    )
    last_error: Mapped[str | None] = mapped_column(comment="Why it could not be completed yet.")
