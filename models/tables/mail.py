"""Mail that waits to be sent, written with what it tells of."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, count, created, identifier, reference


class OutgoingMailRow(Base):
    """One mail."""

    __tablename__ = "outgoing_mails"
    __table_args__ = (
        Index(
            "idx_mails_open",
            "next_attempt_at",
            postgresql_where="sent_at IS NULL AND failed_at IS NULL",
        ),
        Index("idx_mails_user", "user_id"),
        {
            "comment": "Mail to send, written in one transaction with what it tells of; an insert "
            "notifies the channel `outgoing_mails`."
        },
    )

    id: Mapped[str] = identifier("Identity, and the Message-ID by which receivers know a repeat.")
    user_id: Mapped[str | None] = reference(
        "Whose it is; null where nobody's.", ForeignKey("users.id", ondelete="CASCADE")
    )
    recipient: Mapped[str] = mapped_column(comment="Address.")
    template: Mapped[str] = mapped_column(String(100), comment="Name of its template.")
    context: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"),
        comment="What the template names; emptied once sent or given up, as it may hold a link "
        "that works once.",
    )
    created_at: Mapped[datetime] = created()
    next_attempt_at: Mapped[datetime] = created("Not to be tried before.")
    attempts: Mapped[int] = count("How often sending failed.")
    sent_at: Mapped[datetime | None] = mapped_column(comment="When a server took it.")
    failed_at: Mapped[datetime | None] = mapped_column(comment="When it was given up.")
    last_error: Mapped[str | None] = mapped_column(comment="Why sending last failed.")
