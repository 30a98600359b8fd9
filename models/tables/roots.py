"""Where files live, as the database knows it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, created, identifier, reference


class StorageRootRow(Base):
    """One folder, bucket prefix or tree in memory."""

    __tablename__ = "storage_roots"
    __table_args__ = (
        UniqueConstraint("user_id", "url"),
        CheckConstraint("kind IN ('managed', 'connected')", name="valid_kind"),
        {"comment": "Storage roots: uploads (`managed`) and what users connected."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(
        String(20), comment="`managed`: bytes stay put; `connected`: organizing moves bytes."
    )
    url: Mapped[str] = mapped_column(comment="Canonical URL, unique for each account.")
    connection_id: Mapped[str | None] = reference(
        "Connection it is reached by; null for uploads, for the command line's folders, and once "
        "the connection was removed.",
        ForeignKey("connections.id", ondelete="SET NULL"),
    )
    last_index: Mapped[dict[str, Any] | None] = mapped_column(
        comment="Reference to the newest complete fingerprint table: uri, table, rows, sha256."
    )
    last_index_job_id: Mapped[str | None] = reference("Job that made it.")
    last_indexed_at: Mapped[datetime | None] = mapped_column(comment="When it was made.")
    created_at: Mapped[datetime] = created()
