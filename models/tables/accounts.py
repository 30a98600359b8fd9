"""Who uses the product: users, what they pay for, and their keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, CITEXT
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base, count, created, identifier, reference, updated

LOCAL_ACCOUNT_ID = "00000000-0000-0000-0000-000000000001"
"""The account of everything that is done without an account, on one's own machine."""

LIVE_SUBSCRIPTION = "status IN ('active', 'trialing', 'past_due', 'unpaid', 'paused')"
"""Statuses of which a user has at most one; `incomplete` was never paid, the others have ended."""


class UserRow(Base):
    """One account."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email", name="idx_users_email"),
        UniqueConstraint("username", name="idx_users_username"),
        CheckConstraint(
            "subscription_tier IN ('free', 'pro', 'business', 'enterprise')", name="valid_tier"
        ),
        CheckConstraint("length(email) <= 255", name="email_length"),
        CheckConstraint("length(username) <= 100", name="username_length"),
        CheckConstraint(
            "storage_used_bytes >= 0 AND storage_reserved_bytes >= 0", name="positive_storage"
        ),
        Index("idx_users_subscription", "subscription_tier"),
        {"comment": "Accounts; one of them is the system's own, for use without an account."},
    )

    id: Mapped[str] = identifier()
    email: Mapped[str] = mapped_column(
        CITEXT(), comment="E-mail address, unique without regard to case; 255 characters at most."
    )
    password_hash: Mapped[str] = mapped_column(
        String(255), comment="Argon2 hash; `!` where nobody can sign in."
    )
    username: Mapped[str] = mapped_column(
        CITEXT(), comment="Name to sign in by, unique without regard to case; 100 at most."
    )
    full_name: Mapped[str | None] = mapped_column(String(255), comment="Name as the person says.")
    avatar_url: Mapped[str | None] = mapped_column(Text(), comment="Picture.")
    subscription_tier: Mapped[str] = mapped_column(
        String(50),
        server_default="free",
        comment="Cache of what `subscriptions` rules; billing is its one writer.",
    )
    storage_quota_gb: Mapped[int | None] = mapped_column(
        server_default=text("5"), comment="Quota in GB of 10^9 bytes; null is unlimited."
    )
    storage_used_bytes: Mapped[int] = count("Bytes stored, the trash included.", large=True)
    storage_reserved_bytes: Mapped[int] = count("Bytes promised to running writes.", large=True)
    is_active: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether signing in is allowed."
    )
    is_verified: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether the e-mail address was confirmed."
    )
    is_system: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="Whether it is the product's own account; counted in no figure.",
    )
    token_epoch: Mapped[int] = count("Raised to end every session at once.")
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = updated()
    last_login_at: Mapped[datetime | None] = mapped_column(comment="When last signed in.")
    deleted_at: Mapped[datetime | None] = mapped_column(
        comment="When it was erased; the row stays, without anything personal."
    )


class SubscriptionRow(Base):
    """What an account pays for; at most one live one."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("stripe_subscription_id", name="idx_subscriptions_stripe"),
        CheckConstraint(
            "status IN ('active', 'canceled', 'past_due', 'trialing', 'paused', 'incomplete', "
            "'incomplete_expired', 'unpaid')",
            name="valid_status",
        ),
        CheckConstraint("current_period_end > current_period_start", name="valid_period"),
        Index("idx_subscriptions_user", "user_id"),
        Index("idx_subscriptions_live", "user_id", unique=True, postgresql_where=LIVE_SUBSCRIPTION),
        {"comment": "Subscriptions as Stripe has them; the source of `users.subscription_tier`."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    plan_id: Mapped[str] = mapped_column(String(50), comment="Plan of the price list.")
    status: Mapped[str] = mapped_column(
        String(50), server_default="active", comment="Status as Stripe names it."
    )
    stripe_subscription_id: Mapped[str | None] = mapped_column(
        String(255), comment="Identity at Stripe; null for Free."
    )
    stripe_customer_id: Mapped[str | None] = mapped_column(
        String(255), comment="Customer at Stripe."
    )
    current_period_start: Mapped[datetime | None] = mapped_column(
        comment="Start of the period paid for; null for Free."
    )
    current_period_end: Mapped[datetime | None] = mapped_column(
        comment="End of the period paid for, after its start; null for Free."
    )
    cancel_at_period_end: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether it ends with the period."
    )
    trial_start: Mapped[datetime | None] = mapped_column(comment="Start of the trial.")
    trial_end: Mapped[datetime | None] = mapped_column(comment="End of the trial.")
    price_id: Mapped[str | None] = mapped_column(String(255), comment="Price at Stripe.")
    interval: Mapped[str | None] = mapped_column(String(20), comment="`month` or `year`.")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When it ended for good.")
    grace_until: Mapped[datetime | None] = mapped_column(
        comment="Until when an unpaid one still grants its plan."
    )
    last_stripe_event_at: Mapped[datetime | None] = mapped_column(
        comment="Time of the newest event applied; older ones change nothing."
    )
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = updated()


class ApiKeyRow(Base):
    """One key of an Enterprise account."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("key_hash", name="idx_api_keys_hash"),
        Index("idx_api_keys_user", "user_id"),
        {"comment": "API keys; the key itself is shown once and kept nowhere."},
    )

    id: Mapped[str] = identifier()
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    key_hash: Mapped[str] = mapped_column(String(255), comment="Hash that the key is found by.")
    key_prefix: Mapped[str] = mapped_column(
        String(20), comment="First characters, to tell keys apart."
    )
    name: Mapped[str] = mapped_column(String(200), comment="Name given by its owner.")
    permissions: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb"), comment="What it may do: `scopes`."
    )
    last_used_at: Mapped[datetime | None] = mapped_column(comment="When last used.")
    expires_at: Mapped[datetime | None] = mapped_column(comment="When it stops working.")
    is_active: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether it works."
    )
    team_id: Mapped[str | None] = reference("Team it acts for.")
    rotated_from: Mapped[str | None] = reference(
        "Key it replaces.", ForeignKey("api_keys.id", ondelete="SET NULL")
    )
    revoked_at: Mapped[datetime | None] = mapped_column(comment="When it was revoked.")
    ip_allowlist: Mapped[list[str] | None] = mapped_column(
        ARRAY(CIDR()), comment="Networks it may be used from; null is anywhere."
    )
    created_at: Mapped[datetime] = created()
