"""Tokens that work once: in the links of mail, and between a password and a second factor."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.base import table_of
from models.tables.sessions import OneTimeTokenRow

TOKENS = table_of(OneTimeTokenRow)

ATTEMPTS_MOST = 5
"""Wrong codes that may be given with one token; then it is worth nothing."""


class Purpose(StrEnum):
    """What a token is good for."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose's name
    MFA = "mfa"


LIVES: dict[Purpose, timedelta] = {
    Purpose.VERIFY_EMAIL: timedelta(hours=48),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.MFA: timedelta(minutes=5),
}
"""How long each lives: as long as people take, and no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeToken:
    """A token that is still good; its row is locked until the transaction ends."""

    token_hash: bytes
    account_id: str
    purpose: Purpose
    payload: dict[str, Any]


def hash_of_token(token: str) -> bytes:
    """Return what is stored of a token of 32 random bytes."""
    return hashlib.sha256(token.encode()).digest()


async def issue(
    connection: AsyncConnection,
    account_id: str,
    purpose: Purpose,
    *,
    payload: dict[str, Any] | None = None,
) -> str:
    """Return a new token; those of the same purpose that were not used stop working.

    Parallel sign-ins do not disturb each other: of `Purpose.MFA` the older ones stay.
    """
    if purpose is not Purpose.MFA:
        await revoke(connection, account_id, purpose)
    token = secrets.token_urlsafe(32)
    await connection.execute(
        insert(TOKENS).values(
            token_hash=hash_of_token(token),
            user_id=account_id,
            purpose=purpose.value,
            payload=payload or {},
            expires_at=func.now() + LIVES[purpose],
        )
    )
    return token


async def find(connection: AsyncConnection, token: str, *purposes: Purpose) -> OneTimeToken | None:
    """Return a token that is good for one of the purposes, locked; None when it is not."""
    query = (
        select(TOKENS)
        .where(
            TOKENS.c.token_hash == hash_of_token(token),
            TOKENS.c.purpose.in_([purpose.value for purpose in purposes]),
            TOKENS.c.used_at.is_(None),
            TOKENS.c.expires_at > func.now(),
            TOKENS.c.attempts < ATTEMPTS_MOST,
        )
        .with_for_update()
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return OneTimeToken(
        token_hash=row["token_hash"],
        account_id=row["user_id"],
        purpose=Purpose(row["purpose"]),
        payload=row["payload"],
    )


async def spend(connection: AsyncConnection, token: OneTimeToken) -> None:
    """Use a token up."""
    await connection.execute(
        update(TOKENS).where(TOKENS.c.token_hash == token.token_hash).values(used_at=func.now())
    )


async def count_attempt(connection: AsyncConnection, token: OneTimeToken) -> None:
    """Count a wrong code against a token; the caller commits although it refuses."""
    await connection.execute(
        update(TOKENS)
        .where(TOKENS.c.token_hash == token.token_hash)
        .values(attempts=TOKENS.c.attempts + 1)
    )


async def revoke(connection: AsyncConnection, account_id: str, *purposes: Purpose) -> None:
    """Let an account's tokens of some purposes stop working."""
    await connection.execute(
        delete(TOKENS).where(
            TOKENS.c.user_id == account_id,
            TOKENS.c.purpose.in_([purpose.value for purpose in purposes]),
            TOKENS.c.used_at.is_(None),
        )
    )
