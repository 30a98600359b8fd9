"""Rows of accounts, sessions and second factors; domain objects come out."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.accounts import Account
from models.domain.audit import AuditAction
from models.domain.sessions import Session, SessionKeys
from models.tables.accounts import UserRow
from models.tables.base import table_of
from models.tables.keeping import AuditLogRow, ConsentRow
from models.tables.sessions import AuthSessionRow, MfaFactorRow, RecoveryCodeRow

USERS = table_of(UserRow)
SESSIONS = table_of(AuthSessionRow)
FACTORS = table_of(MfaFactorRow)
CODES = table_of(RecoveryCodeRow)
CONSENTS = table_of(ConsentRow)
AUDIT = table_of(AuditLogRow)

WRONG_CODES_MOST = 10
WRONG_CODES_WINDOW = timedelta(minutes=15)
"""Wrong codes of an account, in all its sign-ins together: 40 an hour of 1,000,000, of which three
are right at any time, is a chance of one in 350 within a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signing in needs of an account; it leaves the server by no answer."""

    account: Account
    password_hash: str
    has_mfa: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One second factor; its secret is encrypted."""

    id: str
    sealed: bytes
    last_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session with what is stored of its tokens; its row is locked."""

    id: str
    account_id: str
    keys: SessionKeys
    is_live: bool
    created_at: datetime
    now: datetime


def account_from(row: Mapping[Any, Any]) -> Account:
    """Return an account from a row of `users`."""
    return Account(
        tier=row["subscription_tier"],
        **{name: row[name] for name in Account.__dataclass_fields__ if name != "tier"},
    )


def _credentials() -> Select[Any]:
    has_mfa = (
        select(FACTORS.c.id)
        .where(FACTORS.c.user_id == USERS.c.id, FACTORS.c.confirmed_at.is_not(None))
        .exists()
    )
    return select(USERS, has_mfa.label("has_mfa")).where(~USERS.c.is_system)


async def _one(connection: AsyncConnection, query: Select[Any]) -> Credentials | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return Credentials(
        account=account_from(row), password_hash=row["password_hash"], has_mfa=row["has_mfa"]
    )


async def credentials_by_email(connection: AsyncConnection, email: str) -> Credentials | None:
    """Return the account of an address, without regard to case; None when nobody's."""
    return await _one(connection, _credentials().where(USERS.c.email == email.strip()))


async def credentials_of_account(
    connection: AsyncConnection, account_id: str, *, is_locked: bool = False
) -> Credentials | None:
    """Return an account's credentials; with `is_locked` others wait for this transaction."""
    query = _credentials().where(USERS.c.id == account_id)
    return await _one(connection, query.with_for_update(of=USERS) if is_locked else query)


async def insert_account(
    connection: AsyncConnection,
    *,
    email: str,
    username: str,
    full_name: str | None,
    password_hash: str,
) -> Account | None:
    """Store a new account; None when its address or name is taken."""
    statement = (
        upsert(USERS)
        .values(email=email, username=username, full_name=full_name, password_hash=password_hash)
        .on_conflict_do_nothing()
        .returning(USERS)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else account_from(row)


async def insert_consent(
    connection: AsyncConnection, account_id: str, *, kind: str, version: str, ip: str | None
) -> None:
    """Note that somebody agreed to something."""
    await connection.execute(
        insert(CONSENTS).values(
            user_id=account_id, kind=kind, version=version, is_granted=True, ip=ip
        )
    )


async def is_email_taken(connection: AsyncConnection, email: str) -> bool:
    """Return whether an account has an address."""
    query = select(USERS.c.id).where(USERS.c.email == email)
    return (await connection.execute(query)).first() is not None


async def set_on_account(connection: AsyncConnection, account_id: str, **values: Any) -> Account:
    """Change columns of an account and return it."""
    change = update(USERS).where(USERS.c.id == account_id).values(**values).returning(USERS)
    return account_from((await connection.execute(change)).mappings().one())


async def insert_session(
    connection: AsyncConnection,
    *,
    session_id: str,
    account_id: str,
    keys: SessionKeys,
    expires_at: datetime,
    ip: str | None,
    user_agent: str | None,
) -> None:
    """Store a new session."""
    await connection.execute(
        insert(SESSIONS).values(
            id=session_id,
            user_id=account_id,
            family_hash=keys.family_hash,
            current_hash=keys.current_hash,
            expires_at=expires_at,
            ip=ip,
            user_agent=user_agent,
        )
    )


async def locked_session(connection: AsyncConnection, session_id: str) -> StoredSession | None:
    """Return a session, locked until the transaction ends; None when there is none."""
    query = (
        select(SESSIONS, func.clock_timestamp().label("now"))
        .where(SESSIONS.c.id == session_id)
        .with_for_update()
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return StoredSession(
        id=row["id"],
        account_id=row["user_id"],
        keys=SessionKeys(
            family_hash=row["family_hash"],
            current_hash=row["current_hash"],
            previous_hash=row["previous_hash"],
            salt=row["salt"],
            rotated_at=row["rotated_at"],
        ),
        is_live=row["revoked_at"] is None and row["expires_at"] > row["now"],
        created_at=row["created_at"],
        now=row["now"],
    )


async def rotate_session(
    connection: AsyncConnection,
    session: StoredSession,
    *,
    current_hash: bytes,
    salt: bytes,
    expires_at: datetime,
    ip: str | None,
) -> None:
    """Use up a session's live token and store the hash of the next."""
    await connection.execute(
        update(SESSIONS)
        .where(SESSIONS.c.id == session.id)
        .values(
            previous_hash=session.keys.current_hash,
            current_hash=current_hash,
            salt=salt,
            rotated_at=session.now,
            last_seen_at=session.now,
            expires_at=expires_at,
            ip=ip,
        )
    )


async def revoke_sessions(
    connection: AsyncConnection,
    account_id: str,
    *,
    reason: str,
    only: str | None = None,
    but: str | None = None,
) -> int:
    """End an account's live sessions, or one, or all but one; return how many."""
    change = update(SESSIONS).where(
        SESSIONS.c.user_id == account_id, SESSIONS.c.revoked_at.is_(None)
    )
    if only is not None:
        change = change.where(SESSIONS.c.id == only)
    if but is not None:
        change = change.where(SESSIONS.c.id != but)
    done = await connection.execute(change.values(revoked_at=func.now(), revoked_reason=reason))
    return done.rowcount


async def live_sessions(connection: AsyncConnection, account_id: str) -> list[Session]:
    """Return an account's live sessions, the last used first."""
    names = tuple(name for name in Session.__dataclass_fields__ if name != "account_id")
    query = (
        select(SESSIONS)
        .where(
            SESSIONS.c.user_id == account_id,
            SESSIONS.c.revoked_at.is_(None),
            SESSIONS.c.expires_at > func.now(),
        )
        .order_by(SESSIONS.c.last_seen_at.desc(), SESSIONS.c.id)
    )
    return [
        Session(account_id=account_id, **{name: _plain(row[name]) for name in names})
        for row in (await connection.execute(query)).mappings()
    ]


def _plain(value: Any) -> Any:
    """Addresses come from the driver as objects of `ipaddress`."""
    return value if value is None or isinstance(value, (str, datetime)) else str(value)


async def insert_factor(connection: AsyncConnection, account_id: str, sealed: bytes) -> str:
    """Store a factor that is to be confirmed, in place of any other such; return its id."""
    await connection.execute(
        delete(FACTORS).where(FACTORS.c.user_id == account_id, FACTORS.c.confirmed_at.is_(None))
    )
    statement = insert(FACTORS).values(user_id=account_id, kind="totp", secret=sealed)
    return str((await connection.execute(statement.returning(FACTORS.c.id))).scalar_one())


async def factor_of(
    connection: AsyncConnection, account_id: str, *, unconfirmed_id: str | None = None
) -> Factor | None:
    """Return an account's confirmed factor, or an unconfirmed one by id; locked."""
    query = select(FACTORS).where(FACTORS.c.user_id == account_id)
    if unconfirmed_id is None:
        query = query.where(FACTORS.c.confirmed_at.is_not(None))
    else:
        query = query.where(FACTORS.c.id == unconfirmed_id, FACTORS.c.confirmed_at.is_(None))
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if row is None:
        return None
    return Factor(id=row["id"], sealed=row["secret"], last_step=row["last_step"])


async def set_on_factor(connection: AsyncConnection, factor_id: str, **values: Any) -> None:
    """Change columns of a factor."""
    await connection.execute(update(FACTORS).where(FACTORS.c.id == factor_id).values(**values))


async def delete_factors(connection: AsyncConnection, account_id: str) -> int:
    """Remove an account's factors and recovery codes; return how many factors."""
    await connection.execute(delete(CODES).where(CODES.c.user_id == account_id))
    done = await connection.execute(delete(FACTORS).where(FACTORS.c.user_id == account_id))
    return done.rowcount


async def replace_codes(connection: AsyncConnection, account_id: str, codes: Iterable[str]) -> None:
    """Store recovery codes; all older ones die."""
    await connection.execute(delete(CODES).where(CODES.c.user_id == account_id))
    rows = [{"user_id": account_id, "code_hash": _hash_of_code(code)} for code in codes]
    await connection.execute(insert(CODES), rows)


async def use_code(connection: AsyncConnection, account_id: str, code: str) -> bool:
    """Use a recovery code up; return whether it was one that had not been used."""
    change = (
        update(CODES)
        .where(
            CODES.c.user_id == account_id,
            CODES.c.code_hash == _hash_of_code(code),
            CODES.c.used_at.is_(None),
        )
        .values(used_at=func.now())
    )
    return (await connection.execute(change)).rowcount == 1


def _hash_of_code(code: str) -> bytes:
    plain = code.replace("-", "").replace(" ", "").lower()
    return hashlib.sha256(plain.encode()).digest()


async def switch_factor_on(connection: AsyncConnection, factor_id: str, *, step: int) -> None:
    """Confirm a factor by a code of a time step."""
    await set_on_factor(connection, factor_id, confirmed_at=func.now(), last_step=step)


async def wrong_codes_lately(connection: AsyncConnection, account_id: str) -> int:
    """Return how many wrong codes were given for an account within `WRONG_CODES_WINDOW`."""
    query = (
        select(func.count())
        .select_from(AUDIT)
        .where(
            AUDIT.c.user_id == account_id,
            AUDIT.c.action == AuditAction.CODE_FAILED.value,
            AUDIT.c.at > func.now() - WRONG_CODES_WINDOW,
        )
    )
    return int((await connection.execute(query)).scalar_one())


async def is_email_taken_by_another(
    connection: AsyncConnection, email: str, account_id: str
) -> bool:
    """Return whether another account has an address."""
    query = select(USERS.c.id).where(USERS.c.email == email, USERS.c.id != account_id)
    return (await connection.execute(query)).first() is not None
