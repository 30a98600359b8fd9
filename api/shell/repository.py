"""What the shell itself reads of the database: the account that asks."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.accounts import SubscriptionRow, UserRow
from models.tables.base import table_of
from models.tables.sessions import AuthSessionRow

USERS = table_of(UserRow)
SUBSCRIPTIONS = table_of(SubscriptionRow)
SESSIONS = table_of(AuthSessionRow)
LIVE = ("active", "trialing", "past_due", "unpaid", "paused")
"""Statuses of which an account has at most one (`LIVE_SUBSCRIPTION`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What deciding needs to know of an account."""

    id: str
    email: str
    tier: str
    is_active: bool
    epoch: int
    storage_quota_gb: int | None
    storage_used_bytes: int
    storage_reserved_bytes: int
    status: str | None
    grace_until: datetime | None
    has_session: bool
    now: datetime


async def account_state(
    connection: AsyncConnection, account_id: str, session_id: str
) -> AccountState | None:
    """Return an account as it is now, or None when there is none.

    Args:
        connection: the account's transaction.
        account_id: whose token it is.
        session_id: of the token; `has_session` says whether it goes on.
    """
    session = exists().where(
        SESSIONS.c.id == session_id,
        SESSIONS.c.user_id == USERS.c.id,
        SESSIONS.c.revoked_at.is_(None),
        SESSIONS.c.expires_at > func.now(),
    )
    live = and_(SUBSCRIPTIONS.c.user_id == USERS.c.id, SUBSCRIPTIONS.c.status.in_(LIVE))
    query = (
        select(
            USERS.c.id,
            USERS.c.email,
            USERS.c.subscription_tier.label("tier"),
            USERS.c.is_active,
            USERS.c.token_epoch.label("epoch"),
            USERS.c.storage_quota_gb,
            USERS.c.storage_used_bytes,
            USERS.c.storage_reserved_bytes,
            SUBSCRIPTIONS.c.status,
            SUBSCRIPTIONS.c.grace_until,
            session.label("has_session"),
            func.now().label("now"),
        )
        .select_from(USERS.outerjoin(SUBSCRIPTIONS, live))
        .where(USERS.c.id == account_id, USERS.c.deleted_at.is_(None))
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else AccountState(**dict(row))
