"""Rows of the account that asks; domain objects come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.accounts import Account
from models.tables.accounts import UserRow
from models.tables.base import table_of
from models.tables.keeping import DeletionRequestRow
from models.tables.sessions import MfaFactorRow

USERS = table_of(UserRow)
FACTORS = table_of(MfaFactorRow)
DELETIONS = table_of(DeletionRequestRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An account with what its owner is told beside it."""

    account: Account
    mfa_enabled: bool
    deletion_scheduled_for: datetime | None


def account_from(row: Mapping[Any, Any]) -> Account:
    """Return an account from a row of `users`."""
    return Account(
        tier=row["subscription_tier"],
        **{name: row[name] for name in Account.__dataclass_fields__ if name != "tier"},
    )


async def profile_of(connection: AsyncConnection, account_id: str) -> Profile | None:
    """Return an account's profile; None when it is gone."""
    has_mfa = (
        select(FACTORS.c.id)
        .where(FACTORS.c.user_id == USERS.c.id, FACTORS.c.confirmed_at.is_not(None))
        .exists()
    )
    scheduled = (
        select(DELETIONS.c.scheduled_for)
        .where(
            DELETIONS.c.user_id == USERS.c.id,
            DELETIONS.c.canceled_at.is_(None),
            DELETIONS.c.completed_at.is_(None),
        )
        .scalar_subquery()
    )
    query = select(
        USERS, has_mfa.label("has_mfa"), scheduled.label("deletion_scheduled_for")
    ).where(USERS.c.id == account_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return Profile(
        account=account_from(row),
        mfa_enabled=row["has_mfa"],
        deletion_scheduled_for=row["deletion_scheduled_for"],
    )


async def set_on_account(
    connection: AsyncConnection, account_id: str, values: Mapping[str, Any]
) -> None:
    """Change columns of an account.

    Raises:
        ConflictError: a name that another account has.
    """
    await connection.execute(
        update(USERS)
        .where(USERS.c.id == account_id)
        .values(**values, updated_at=func.current_timestamp())
    )
