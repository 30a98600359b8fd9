"""The catalog: every file known, and its tags."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.tables.base import Base, count, created, identifier, reference, updated


class FileRow(Base):
    """One file of one storage root."""

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("root_id", "storage_key"),
        CheckConstraint("file_size_bytes >= 0", name="positive_size"),
        CheckConstraint("duplicate_of <> id", name="duplicate_of_another"),
        CheckConstraint("hashed_at IS NULL OR sha256_hash IS NOT NULL", name="hashed_has_sha256"),
        CheckConstraint(
            "scan_status IN ('pending', 'clean', 'infected', 'failed', 'skipped')",
            name="valid_scan_status",
        ),
        Index("idx_files_user", "user_id"),
        Index("idx_files_md5", "md5_hash"),
        Index("idx_files_category", "category"),
        Index("idx_files_tags", "tags", postgresql_using="gin"),
        Index("idx_files_user_sha256", "user_id", "sha256_hash"),
        Index(
            "idx_files_user_content",
            "user_id",
            "sha256_hash",
            postgresql_include=["file_size_bytes"],
            postgresql_where="deleted_at IS NULL AND sha256_hash IS NOT NULL",
        ),
        Index(
            "idx_files_user_live",
            "user_id",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "idx_files_duplicate_of",
            "duplicate_of",
            postgresql_where="duplicate_of IS NOT NULL",
        ),
        Index(
            "idx_files_user_size",
            "user_id",
            "file_size_bytes",
            "id",
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "idx_files_user_name",
            "user_id",
            "filename",
            "id",
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "idx_files_user_coarse",
            "user_id",
            "coarse_category",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "idx_files_user_trash",
            "user_id",
            text("deleted_at DESC"),
            text("id DESC"),
            postgresql_where="deleted_at IS NOT NULL AND purge_after IS NOT NULL",
        ),
        Index(
            "idx_files_unpublished",
            "root_id",
            postgresql_where="last_job_id IS NULL AND deleted_at IS NULL",
        ),
        Index("idx_files_purge", "purge_after", postgresql_where="purge_after IS NOT NULL"),
        {"comment": "The catalog of files; the newest version of each."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    filename: Mapped[str] = mapped_column(
        String(500), comment="Name shown; its first 500 characters."
    )
    original_path: Mapped[str | None] = mapped_column(
        comment="Where it was before it was first organized."
    )
    virtual_path: Mapped[str | None] = mapped_column(
        comment="Uploads: path shown below `/uploads`, given by organizing; null: just its name."
    )
    storage_path: Mapped[str] = mapped_column(comment="Opaque address of its bytes.")
    category: Mapped[str | None] = mapped_column(
        String(100), comment="First level of the taxonomy."
    )
    chosen_category: Mapped[str | None] = mapped_column(
        String(100), comment="Category that somebody chose; what rules and models say yields."
    )
    file_extension: Mapped[str | None] = mapped_column(
        String(50), comment="Extension of the name, lower case, with its dot."
    )
    file_size_bytes: Mapped[int] = mapped_column(BigInteger(), comment="Size in bytes.")
    mime_type: Mapped[str | None] = mapped_column(String(100), comment="Media type by content.")
    md5_hash: Mapped[str | None] = mapped_column(
        String(32), comment="MD5, 32 hexadecimal digits; never an identity."
    )
    sha256_hash: Mapped[str | None] = mapped_column(
        String(64), comment="SHA-256, 64 hexadecimal digits: the identity of content."
    )
    is_duplicate: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether another file is kept for this content."
    )
    duplicate_of: Mapped[str | None] = reference(
        "The file that is kept; when it goes, the oldest of its duplicates takes its place.",
        ForeignKey("files.id", ondelete="SET NULL"),
    )
    thumbnail_url: Mapped[str | None] = mapped_column(comment="Thumbnail; null until made.")
    details: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'::jsonb"), comment="Media facts and the like."
    )
    tags: Mapped[list[str]] = mapped_column(
        ARRAY(Text()), server_default=text("'{}'::text[]"), comment="Names of tags."
    )
    created_at: Mapped[datetime] = created("When it was first known.")
    updated_at: Mapped[datetime] = updated()
    organized_at: Mapped[datetime | None] = mapped_column(comment="When it was last organized.")
    deleted_at: Mapped[datetime | None] = mapped_column(
        comment="When it went to the trash or was gone from its storage."
    )
    root_id: Mapped[str] = reference("Storage root it lives in.", ForeignKey("storage_roots.id"))
    storage_key: Mapped[str] = mapped_column(
        comment="Path below its root, unique in it with `root_id`."
    )
    storage_version: Mapped[str] = mapped_column(
        comment="What the storage knows this version by; equal means unchanged."
    )
    modified_ns: Mapped[int] = mapped_column(
        BigInteger(), comment="Modification time, nanoseconds since 1970 UTC."
    )
    subcategory: Mapped[str | None] = mapped_column(
        String(100), comment="Second level of the taxonomy."
    )
    coarse_category: Mapped[str] = mapped_column(
        String(20),
        server_default="Others",
        comment="Images, Videos, Documents, Audio or Others.",
    )
    category_confidence: Mapped[float | None] = mapped_column(
        Double(), comment="Probability in [0, 1] that `category` is right."
    )
    hashed_at: Mapped[datetime | None] = mapped_column(
        comment="When its bytes were last read in full; `sha256_hash` is there from then on."
    )
    scan_status: Mapped[str] = mapped_column(
        String(20), server_default="skipped", comment="What the malware scan said."
    )
    purge_after: Mapped[datetime | None] = mapped_column(comment="When the trash may let go of it.")
    version: Mapped[int] = mapped_column(
        Integer(),
        server_default=text("1"),
        comment="Raised with every change; the entity tag of conditional requests.",
    )
    encryption_key_id: Mapped[str | None] = mapped_column(
        comment="Key its bytes are encrypted with at rest."
    )
    team_id: Mapped[str | None] = reference("Team it belongs to.")
    last_job_id: Mapped[str | None] = reference("Job that last published it.")


class FileTagRow(Base):
    """One tag of one account."""

    __tablename__ = "file_tags"
    __table_args__ = (
        UniqueConstraint("user_id", "tag_name"),
        CheckConstraint("usage_count >= 0", name="positive_usage"),
        Index("idx_file_tags_user", "user_id"),
        Index("idx_file_tags_name", "tag_name"),
        {"comment": "Tags an account uses."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    tag_name: Mapped[str] = mapped_column(String(100), comment="Name, unique for each account.")
    tag_color: Mapped[str | None] = mapped_column(
        String(7), server_default="#00f7ff", comment="Color, `#rrggbb`."
    )
    usage_count: Mapped[int] = count("Files that carry it.")
    created_at: Mapped[datetime] = created()
