"""What the shell itself reads of the database: the account that asks."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.accounts import SubscriptionRow, UserRow
from models.tables.base import table_of

USERS = table_of(UserRow)
SUBSCRIPTIONS = table_of(SubscriptionRow)
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
    now: datetime


async def account_state(connection: AsyncConnection, account_id: str) -> AccountState | None:
    """Return an account as it is now, or None when there is none."""
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
            func.now().label("now"),
        )
        .select_from(USERS.outerjoin(SUBSCRIPTIONS, live))
        .where(USERS.c.id == account_id)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else AccountState(**dict(row))
