"""Groups of files that have one content, or nearly."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.tables.base import Base, count, created, identifier, reference


class DuplicateGroupRow(Base):
    """One group in one storage root."""

    __tablename__ = "duplicate_groups"
    __table_args__ = (
        UniqueConstraint("root_id", "truth_class", "group_key"),
        CheckConstraint(
            "truth_class IN ('full_hash', 'perceptual', 'textual')", name="valid_truth_class"
        ),
        CheckConstraint("files_count >= 0 AND wasted_bytes >= 0", name="positive_counts"),
        Index("idx_duplicate_groups_user", "user_id", text("wasted_bytes DESC")),
        {"comment": "Groups of duplicates, as the newest run over their root found them."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    root_id: Mapped[str] = reference("Storage root.", ForeignKey("storage_roots.id"))
    truth_class: Mapped[str] = mapped_column(
        String(20), comment="How certain; only `full_hash` may be removed automatically."
    )
    group_key: Mapped[str] = mapped_column(
        comment="Identity of the group: the SHA-256 for full-hash groups."
    )
    files_count: Mapped[int] = count("Members, the keeper among them.")
    wasted_bytes: Mapped[int] = count("Bytes a removal would free.", large=True)
    job_id: Mapped[str | None] = reference("Job that found it.")
    ignored_at: Mapped[datetime | None] = mapped_column(
        comment="When its owner asked not to be shown it."
    )
    created_at: Mapped[datetime] = created()

    members: Mapped[list["DuplicateMemberRow"]] = relationship(
        back_populates="group", lazy="raise", passive_deletes=True
    )


class DuplicateMemberRow(Base):
    """One file of a group."""

    __tablename__ = "duplicate_members"
    __table_args__ = (
        CheckConstraint("similarity_ratio BETWEEN 0 AND 1", name="valid_similarity"),
        CheckConstraint("wasted_bytes >= 0", name="positive_waste"),
        Index("idx_duplicate_members_file", "file_id"),
        Index(
            "idx_duplicate_members_keeper", "group_id", unique=True, postgresql_where="is_keeper"
        ),
        {"comment": "Members of groups of duplicates; one of each is the keeper."},
    )

    group_id: Mapped[str] = reference(
        "Group.", ForeignKey("duplicate_groups.id", ondelete="CASCADE"), primary_key=True
    )
    file_id: Mapped[str] = reference(
        "File.", ForeignKey("files.id", ondelete="CASCADE"), primary_key=True
    )
    is_keeper: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether this is the member that stays."
    )
    similarity_ratio: Mapped[float] = mapped_column(
        Double(), server_default=text("1"), comment="1 for equal bytes."
    )
    is_hardlink: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether it shares its bytes with another member."
    )
    wasted_bytes: Mapped[int] = mapped_column(
        BigInteger(), server_default=text("0"), comment="Bytes its removal would free."
    )
    keep_reason: Mapped[str] = mapped_column(
        server_default="", comment="Which rule chose the keeper, in words."
    )
    is_removable: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether a rule may remove it."
    )

    group: Mapped[DuplicateGroupRow] = relationship(back_populates="members", lazy="raise")


class DuplicateDecisionRow(Base):
    """One decision of one account."""

    __tablename__ = "duplicate_decisions"
    __table_args__ = (
        CheckConstraint("kind IN ('not_duplicate', 'keep')", name="valid_decision"),
        CheckConstraint(
            "sha256 <= other_sha256 AND (kind = 'keep') = (sha256 = other_sha256)",
            name="ordered_pair",
        ),
        {
            "comment": "What people decided of contents. Keyed by content, so that it survives "
            "renames, moves and other storages."
        },
    )

    user_id: Mapped[str] = reference(
        "Who decided.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(
        String(64),
        primary_key=True,
        comment="SHA-256 of the content; of a pair the smaller one.",
    )
    other_sha256: Mapped[str] = mapped_column(
        String(64),
        primary_key=True,
        comment="The larger one of a pair; the same again where one content stays.",
    )
    kind: Mapped[str] = mapped_column(
        String(20), comment="`not_duplicate` of a pair, `keep` of one content."
    )
    kept_key: Mapped[str] = mapped_column(
        server_default="", comment="The file that was named; it decides among equal bytes."
    )
    note: Mapped[str] = mapped_column(server_default="", comment="Why, in the person's words.")
    decided_at: Mapped[datetime] = created("When it was decided last.")
