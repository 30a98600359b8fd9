"""The journal: every operation a job carries out on storage, and the folders as they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, reference


class OrganizationOperationRow(Base):
    """One operation of one job."""

    __tablename__ = "organization_operations"
    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'copied', 'done', 'refused', 'failed', 'deferred')",
            name="valid_state",
        ),
        {
            "comment": "The journal: what a job does to storage, and how far each operation got. "
            "Deleting a job deletes its journal by a trigger: a foreign key would be checked for "
            "every row and double the price of writing it.",
        },
    )
    # Its pages are filled to 60 % (`0001_tables.sql`; SQLAlchemy 2.0 cannot say it). What is left
    # lets `record` put the new version of a row beside the old one without touching the index:
    # 10,000 records took 70 % of the time at 100.

    job_id: Mapped[str] = reference("Job.", primary_key=True)
    seq: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="Order of application, from 0."
    )
    source_root_id: Mapped[str] = reference("Root of the source.")
    destination_root_id: Mapped[str] = reference("Root of the destination.")
    size_bytes: Mapped[int] = mapped_column(BigInteger(), comment="Size the source must have.")
    modified_ns: Mapped[int] = mapped_column(
        BigInteger(), comment="Modification time of the source, nanoseconds since 1970 UTC."
    )
    unit_id: Mapped[str] = mapped_column(comment="Operations of one unit go together.")
    action: Mapped[str] = mapped_column(String(20), comment="What is done.")
    state: Mapped[str] = mapped_column(
        String(20), server_default="planned", comment="How far it got; only forward."
    )
    source_key: Mapped[str] = mapped_column(comment="Path below the source's root.")
    destination_key: Mapped[str] = mapped_column(comment="Path below the destination's root.")
    sha256: Mapped[str] = mapped_column(comment="Content the source must have.")
    version: Mapped[str] = mapped_column(comment="Version the source must have.")
    keeper_key: Mapped[str | None] = mapped_column(
        comment="For a removal: path of the file that proves that a copy stays."
    )
    reason: Mapped[str] = mapped_column(server_default="", comment="Why, in words.")
    destination_version: Mapped[str | None] = mapped_column(
        comment="Version of the destination once it is published."
    )
    receipt: Mapped[dict[str, Any] | None] = mapped_column(
        comment="What was read and when, for a later undo and for proof."
    )
    error: Mapped[str | None] = mapped_column(comment="Why it was not carried out, in words.")
    recorded_at: Mapped[datetime | None] = mapped_column(comment="When its state last changed.")


class JournalFolderRow(Base):
    """One folder as it was before a job wrote anything."""

    __tablename__ = "journal_folders"
    __table_args__ = (
        {
            "comment": "Folders a job writes to or empties, as they were before, for its undo. "
            "Deleted with the job by a trigger."
        },
    )

    job_id: Mapped[str] = reference("Job.", primary_key=True)
    root_id: Mapped[str] = reference("Root.", primary_key=True)
    key: Mapped[str] = mapped_column(
        primary_key=True, comment="Path of the folder below the root; empty for the root itself."
    )
    existed: Mapped[bool] = mapped_column(comment="Whether it was there.")
    mode: Mapped[int | None] = mapped_column(comment="Permission bits.")
    modified_ns: Mapped[int | None] = mapped_column(
        BigInteger(), comment="Modification time, nanoseconds since 1970 UTC."
    )
