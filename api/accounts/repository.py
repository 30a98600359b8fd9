"""Rows of the account that asks; domain objects come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.accounts import Account
from models.domain.audit import AuditEntry
from models.domain.preferences import CONSENT_VERSION, Consent, Preferences, Theme
from models.tables.accounts import UserRow
from models.tables.base import table_of
from models.tables.keeping import (
    AuditLogRow,
    ConsentRow,
    DeletionRequestRow,
    PreferencesRow,
)
from models.tables.sessions import MfaFactorRow

USERS = table_of(UserRow)
FACTORS = table_of(MfaFactorRow)
DELETIONS = table_of(DeletionRequestRow)
PREFERENCES = table_of(PreferencesRow)
CONSENTS = table_of(ConsentRow)
AUDIT = table_of(AuditLogRow)


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


async def preferences_of(connection: AsyncConnection, account_id: str) -> Preferences:
    """Return an account's preferences; the defaults where it has none."""
    query = select(PREFERENCES).where(PREFERENCES.c.user_id == account_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return Preferences()
    return Preferences(
        theme=Theme(row["theme"]),
        locale=row["locale"],
        timezone=row["timezone"],
        default_mode=row["default_mode"],
        default_operation=row["default_operation"],
    )


async def save_preferences(
    connection: AsyncConnection, account_id: str, values: Mapping[str, Any]
) -> None:
    """Change an account's preferences."""
    await connection.execute(
        insert(PREFERENCES)
        .values(user_id=account_id, **values)
        .on_conflict_do_update(
            index_elements=["user_id"], set_={**values, "updated_at": func.current_timestamp()}
        )
    )


async def consents_of(connection: AsyncConnection, account_id: str) -> set[Consent]:
    """Return what an account agrees to: the newest decision of each kind counts."""
    query = (
        select(CONSENTS.c.kind, CONSENTS.c.is_granted)
        .where(CONSENTS.c.user_id == account_id)
        .order_by(CONSENTS.c.id)
    )
    newest = dict((await connection.execute(query)).tuples().all())
    return {Consent(kind) for kind, is_granted in newest.items() if is_granted}


async def decide_consent(
    connection: AsyncConnection,
    account_id: str,
    kind: Consent,
    *,
    is_granted: bool,
    ip: str | None,
) -> None:
    """Append a decision to an account's history of consents."""
    await connection.execute(
        insert(CONSENTS).values(
            user_id=account_id,
            kind=kind.value,
            version=CONSENT_VERSION,
            is_granted=is_granted,
            ip=ip,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPart:
    """Some entries of an audit log, the newest first, by their ids."""

    entries: tuple[tuple[str, AuditEntry], ...]
    has_more: bool


async def audit_entries(
    connection: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    before_seq: int | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AuditPart:
    """Return entries of an account's log, the newest first.

    Args:
        connection: the account's transaction.
        account_id: whose.
        limit: how many at most.
        before_seq: only older ones than this.
        action: only these.
        since: only from then on.
        until: only before then.
    """
    query = select(AUDIT).where(AUDIT.c.user_id == account_id)
    for condition in (
        None if before_seq is None else AUDIT.c.seq < before_seq,
        None if action is None else AUDIT.c.action == action,
        None if since is None else AUDIT.c.at >= since,
        None if until is None else AUDIT.c.at < until,
    ):
        if condition is not None:
            query = query.where(condition)
    query = query.order_by(AUDIT.c.seq.desc()).limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    names = tuple(AuditEntry.__dataclass_fields__)
    found = tuple(
        (
            row["id"],
            AuditEntry(
                **{name: row[name] for name in names if name != "ip"},
                ip=None if row["ip"] is None else str(row["ip"]),
            ),
        )
        for row in rows[:limit]
    )
    return AuditPart(entries=found, has_more=len(rows) > limit)
