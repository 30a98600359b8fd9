"""How people sign in: sessions, second factors, codes and links that work once."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, count, created, identifier, reference


def _owner() -> Mapped[str]:
    return reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))


class AuthSessionRow(Base):
    """One signed-in device: a family of refresh tokens of which one is live."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        Index("idx_auth_sessions_user", "user_id"),
        Index("idx_auth_sessions_expires", "expires_at"),
        {"comment": "Sessions with the hashes of their refresh tokens (families)."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = _owner()
    family_hash: Mapped[bytes] = mapped_column(
        LargeBinary(), comment="SHA-256 of what all tokens of the session carry."
    )
    current_hash: Mapped[bytes] = mapped_column(
        LargeBinary(), comment="SHA-256 of the live token's secret."
    )
    previous_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary(), comment="SHA-256 of the secret used last."
    )
    salt: Mapped[bytes | None] = mapped_column(
        LargeBinary(), comment="With the token used last, what the live one is derived from."
    )
    rotated_at: Mapped[datetime | None] = mapped_column(comment="When a token was used last.")
    ip: Mapped[str | None] = mapped_column(INET(), comment="Address it was last used from.")
    user_agent: Mapped[str | None] = mapped_column(comment="Program it was begun with.")
    created_at: Mapped[datetime] = created("When the person signed in.")
    last_seen_at: Mapped[datetime] = created("When a token was last refreshed.")
    expires_at: Mapped[datetime] = mapped_column(comment="When it ends unless it is used.")
    revoked_at: Mapped[datetime | None] = mapped_column(comment="When it was ended.")
    revoked_reason: Mapped[str | None] = mapped_column(String(50), comment="Why it was ended.")


class MfaFactorRow(Base):
    """One second factor."""

    __tablename__ = "mfa_factors"
    __table_args__ = (
        CheckConstraint("kind IN ('totp')", name="valid_factor"),
        Index(
            "idx_mfa_factors_live",
            "user_id",
            "kind",
            unique=True,
            postgresql_where="confirmed_at IS NOT NULL",
        ),
        Index("idx_mfa_factors_user", "user_id"),
        {"comment": "Second factors; one that was never confirmed protects nothing."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = _owner()
    kind: Mapped[str] = mapped_column(String(20), comment="`totp` (RFC 6238).")
    secret: Mapped[bytes] = mapped_column(LargeBinary(), comment="Its secret, encrypted.")
    last_step: Mapped[int] = mapped_column(
        BigInteger(),
        server_default=text("0"),
        comment="Newest time step whose code was used; a code works once.",
    )
    confirmed_at: Mapped[datetime | None] = mapped_column(comment="When a first code was right.")
    created_at: Mapped[datetime] = created()


class RecoveryCodeRow(Base):
    """One code for who lost the second factor."""

    __tablename__ = "recovery_codes"
    __table_args__ = ({"comment": "Recovery codes; each works once, and new ones replace all."},)

    user_id: Mapped[str] = reference(
        "Whose it is.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[bytes] = mapped_column(
        LargeBinary(), primary_key=True, comment="SHA-256 of the code, without dashes."
    )
    created_at: Mapped[datetime] = created()
    used_at: Mapped[datetime | None] = mapped_column(comment="When it was used.")


class OneTimeTokenRow(Base):
    """One token that works once: in a mail's link, or between password and second factor."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('verify_email', 'change_email', 'reset_password', 'mfa')",
            name="valid_purpose",
        ),
        Index("idx_one_time_tokens_user", "user_id", "purpose"),
        Index("idx_one_time_tokens_expires", "expires_at"),
        {"comment": "Tokens that work once, by hash; used and expired ones are removed in time."},
    )

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary(), primary_key=True, comment="SHA-256 of the token."
    )
    user_id: Mapped[str] = _owner()
    purpose: Mapped[str] = mapped_column(String(20), comment="What it is good for.")
    payload: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="What it carries: the address to change to."
    )
    attempts: Mapped[int] = count("Wrong codes given with it.")
    created_at: Mapped[datetime] = created()
    expires_at: Mapped[datetime] = mapped_column(comment="When it stops working.")
    used_at: Mapped[datetime | None] = mapped_column(comment="When it was used.")
