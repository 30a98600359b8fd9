"""Requests that may come twice and take effect once."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, created, reference


class IdempotencyKeyRow(Base):
    """One `Idempotency-Key` of one caller."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("idx_idempotency_created", "created_at"),
        Index("idx_idempotency_user", "user_id"),
        {"comment": "Keys of requests, with their answers for a day; neither can be read here."},
    )

    key_hash: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="SHA-256 over the caller and the key."
    )
    user_id: Mapped[str | None] = reference(
        "Who asked; null without a token.", ForeignKey("users.id", ondelete="CASCADE")
    )
    request_hash: Mapped[str | None] = mapped_column(
        String(64), comment="SHA-256 over method, path, query and body; null until answered."
    )
    claim: Mapped[str] = reference("The one that carries it out; others wait or are refused.")
    claimed_until: Mapped[datetime] = mapped_column(comment="When another may take over.")
    has_effect: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="Whether something was committed; then it is never carried out again.",
    )
    answer: Mapped[bytes | None] = mapped_column(
        LargeBinary(), comment="Status, headers and body, encrypted; null until answered."
    )
    created_at: Mapped[datetime] = created()
