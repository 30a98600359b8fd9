"""Uploads on their way in, what they are promised, and what an account stores and has used up."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.tables.base import Base, count, created, identifier, reference

NO_TEXTS = text("'{}'::text[]")


class StorageReservationRow(Base):
    """Bytes promised to one write that is not finished."""

    __tablename__ = "storage_reservations"
    __table_args__ = (
        CheckConstraint("size_bytes >= 0 AND uploads >= 0", name="positive_reservation"),
        Index("idx_reservations_user", "user_id"),
        Index("idx_reservations_expiry", "expires_at"),
        {
            "comment": "Promises of storage; their sum is `users.storage_reserved_bytes`. One that "
            "expires is given back, and what its write left is removed."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    size_bytes: Mapped[int] = count("Bytes promised.", large=True)
    uploads: Mapped[int] = count("Files counted against the day's limit for it.")
    counted_on: Mapped[date] = mapped_column(Date(), comment="Day (UTC) they were counted on.")
    storage_keys: Mapped[list[str]] = mapped_column(
        ARRAY(Text()),
        server_default=NO_TEXTS,
        comment="Keys it may have written in the storage for uploads.",
    )
    expires_at: Mapped[datetime] = mapped_column(comment="When nobody finishes it any more.")
    created_at: Mapped[datetime] = created()


class StorageLedgerRow(Base):
    """One change of what an account stores."""

    __tablename__ = "storage_ledger"
    __table_args__ = (
        CheckConstraint("reason IN ('upload', 'purge')", name="valid_ledger_reason"),
        Index("idx_ledger_user", "user_id", "id"),
        {"comment": "Every byte stored and let go; the sum is `users.storage_used_bytes`."},
    )

    id: Mapped[int] = mapped_column(
        BigInteger(), Identity(), primary_key=True, comment="Order of writing."
    )
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    delta_bytes: Mapped[int] = mapped_column(BigInteger(), comment="Bytes more, or less.")
    reason: Mapped[str] = mapped_column(String(20), comment="`upload` or `purge`.")
    file_id: Mapped[str | None] = reference("File; it may be gone.")
    created_at: Mapped[datetime] = created()


class UsageCounterRow(Base):
    """How much of one limit an account has used in one period."""

    __tablename__ = "usage_counters"
    __table_args__ = (
        CheckConstraint("used >= 0", name="positive_use"),
        {"comment": "Use of limits that begin anew each period, such as `uploads_per_day`."},
    )

    user_id: Mapped[str] = reference(
        "Whose it is.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    metric: Mapped[str] = mapped_column(
        String(50), primary_key=True, comment="Name of the limit in the price list."
    )
    period_start: Mapped[date] = mapped_column(
        Date(), primary_key=True, comment="First day (UTC) of the period."
    )
    used: Mapped[int] = count("Used so far.")


class FileCountRow(Base):
    """A change of how many files an account has; their sum is how many there are."""

    __tablename__ = "file_counts"
    __table_args__ = (
        Index("idx_file_counts_user", "user_id"),
        {
            "comment": "Live files of accounts by category, as changes that triggers of `files` "
            "append: nobody waits for anybody, and a sum over few rows tells how many of a million "
            "there are. Upkeep adds up what is old."
        },
    )

    id: Mapped[int] = mapped_column(
        BigInteger(), Identity(), primary_key=True, comment="Order of writing."
    )
    user_id: Mapped[str] = reference(
        "Whose they are. No foreign key: an account's files go after it."
    )
    coarse_category: Mapped[str] = mapped_column(String(20), comment="As in `files`.")
    category: Mapped[str | None] = mapped_column(String(100), comment="As in `files`.")
    files: Mapped[int] = mapped_column(BigInteger(), comment="Files more, or less.")
    size_bytes: Mapped[int] = mapped_column(BigInteger(), comment="Bytes more, or less.")


class UploadSessionRow(Base):
    """One resumable upload (tus 1.0)."""

    __tablename__ = "upload_sessions"
    __table_args__ = (
        CheckConstraint("received_bytes BETWEEN 0 AND size_bytes", name="received_within_its_size"),
        Index("idx_upload_sessions_user", "user_id"),
        Index("idx_upload_sessions_expiry", "expires_at"),
        {
            "comment": "Resumable uploads: what came so far lies in segments in the storage for "
            "uploads, so a killed server loses none of it."
        },
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    reservation_id: Mapped[str | None] = reference("Bytes promised; null once it is finished.")
    filename: Mapped[str] = mapped_column(Text(), comment="Name as it was sent.")
    category: Mapped[str | None] = mapped_column(String(100), comment="Category asked for.")
    tags: Mapped[list[str]] = mapped_column(
        ARRAY(Text()), server_default=NO_TEXTS, comment="Tags asked for."
    )
    size_bytes: Mapped[int] = mapped_column(BigInteger(), comment="Size announced.")
    received_bytes: Mapped[int] = count("Bytes that are safe.", large=True)
    segments: Mapped[list[str]] = mapped_column(
        ARRAY(Text()), server_default=NO_TEXTS, comment="Keys of its segments, in order."
    )
    upload_metadata: Mapped[str] = mapped_column(
        server_default="", comment="`Upload-Metadata` as it was sent, for HEAD."
    )
    held_by: Mapped[str | None] = reference("Request that is writing now.")
    held_until: Mapped[datetime | None] = mapped_column(comment="When another request may write.")
    expires_at: Mapped[datetime] = mapped_column(comment="When it is given up.")
    file_id: Mapped[str | None] = reference("File it became.")
    created_at: Mapped[datetime] = created()
