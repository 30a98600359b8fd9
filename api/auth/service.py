"""Registration, signing in and out, and the rotation of refresh tokens."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import repository as rows
from api.auth.means import Means
from api.auth.passwords import checked_password
from api.mail.outbox import enqueue
from api.shell import one_time
from api.shell.audit import record
from api.shell.database import system_transaction
from api.shell.one_time import Purpose
from api.shell.problems import ProblemError, unauthenticated
from models.domain.accounts import Account, normalized_username
from models.domain.audit import AuditAction
from models.domain.errors import ConflictError, InvalidError
from models.domain.mails import Mail
from models.domain.sessions import (
    SECRET_BYTES,
    RefreshToken,
    Replay,
    SessionKeys,
    hashed,
    parsed_refresh_token,
    replay_of,
    session_expiry,
    successor,
)

TERMS_VERSION = "2026-01-19"
"""Of the terms that registering agrees to: the date of the specification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """An account with the tokens of a session."""

    account: Account
    access_token: str
    refresh_token: str


def wrong_credentials() -> ProblemError:
    """Return the one refusal of signing in: it does not say what was wrong."""
    return ProblemError(
        401,
        "the e-mail address or the password is wrong",
        name="wrong-credentials",
        headers={"WWW-Authenticate": 'Bearer realm="fileorganizer"'},
    )


async def register(
    means: Means, *, email: str, password: str, username: str, full_name: str | None
) -> SignedIn:
    """Make an account, sign it in, and write to its address.

    Raises:
        InvalidError: the name or the password may not be used.
        ConflictError: the address or the name is taken.
    """
    name = normalized_username(username)
    chosen = checked_password(password, email, email.partition("@")[0], name, full_name)
    password_hash = await means.passwords.hash(chosen)
    async with system_transaction(means.engine) as connection:
        account = await rows.insert_account(
            connection,
            email=email,
            username=name,
            full_name=full_name,
            password_hash=password_hash,
        )
        if account is None:
            is_known = await rows.is_email_taken(connection, email)
            what = "an account with this e-mail address" if is_known else "this username"
            raise ConflictError(f"{what} exists already")
        await rows.insert_consent(
            connection, account.id, kind="terms", version=TERMS_VERSION, ip=means.client.ip
        )
        await send_verification(connection, account)
        signed_in = await begin_session(connection, means, account)
        await record(connection, account.id, AuditAction.REGISTERED, client=means.client)
        return signed_in


async def send_verification(connection: AsyncConnection, account: Account) -> None:
    """Write to an account's address, so that it is confirmed."""
    token = await one_time.issue(connection, account.id, Purpose.VERIFY_EMAIL)
    hours = one_time.LIVES[Purpose.VERIFY_EMAIL].total_seconds() // 3600
    await enqueue(
        connection,
        Mail(
            template="verify_email",
            recipient=account.email,
            account_id=account.id,
            context={"username": account.username, "token": token, "hours": int(hours)},
        ),
    )


async def log_in(means: Means, *, email: str, password: str) -> SignedIn | str:
    """Sign in; where a second factor is on, return the token that `/auth/2fa/verify` takes.

    An unknown address, a wrong password and an account that may not sign in are one answer after
    the same work: one look-up and one hash.

    Raises:
        ProblemError: 401.
    """
    async with system_transaction(means.engine) as connection:
        found = await rows.credentials_by_email(connection, email)
    is_right, newer = await means.passwords.verify(password, found.password_hash if found else None)
    if found is None or not is_right or not found.account.may_sign_in:
        raise wrong_credentials()
    account = found.account
    async with system_transaction(means.engine) as connection:
        if newer is not None:
            await rows.set_on_account(connection, account.id, password_hash=newer)
        if found.has_mfa:
            return await one_time.issue(connection, account.id, Purpose.MFA)
        return await sign_in(connection, means, account.id)


async def note_failure(means: Means, email: str) -> None:
    """Record in an account's log that somebody failed to sign in; nothing for an unknown one."""
    async with system_transaction(means.engine) as connection:
        found = await rows.credentials_by_email(connection, email)
        if found is not None and found.account.may_sign_in:
            await record(
                connection,
                found.account.id,
                AuditAction.SIGN_IN_FAILED,
                client=means.client,
                actor="unknown",
            )


async def sign_in(connection: AsyncConnection, means: Means, account_id: str) -> SignedIn:
    """Begin a session of an account that proved who it is.

    Raises:
        ProblemError: 401: the account may not sign in any more.
    """
    found = await rows.credentials_of_account(connection, account_id, is_locked=True)
    if found is None or not found.account.may_sign_in:
        raise wrong_credentials()
    account = await rows.set_on_account(connection, account_id, last_login_at=datetime.now(UTC))
    signed_in = await begin_session(connection, means, account)
    await record(connection, account_id, AuditAction.SIGNED_IN, client=means.client)
    return signed_in


async def begin_session(connection: AsyncConnection, means: Means, account: Account) -> SignedIn:
    """Store a new session and return its tokens."""
    token = RefreshToken(
        str(uuid.uuid4()), secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SECRET_BYTES)
    )
    now = datetime.now(UTC)
    await rows.insert_session(
        connection,
        session_id=token.session_id,
        account_id=account.id,
        keys=SessionKeys(family_hash=hashed(token.family), current_hash=hashed(token.secret)),
        expires_at=session_expiry(now, now),
        ip=means.client.ip,
        user_agent=means.client.user_agent,
    )
    access = means.keys.sign(account.id, session_id=token.session_id, epoch=account.token_epoch)
    return SignedIn(account=account, access_token=access, refresh_token=token.text)


def dead_token() -> ProblemError:
    """Return the refusal of a refresh token; it does not say why."""
    return unauthenticated("the refresh token does not count; sign in again", error="invalid_token")


async def refresh(connection: AsyncConnection, means: Means, text: str) -> SignedIn | ProblemError:
    """Return new tokens for a refresh token; the refusal is returned, so that revoking is kept.

    Parallel uses within the grace get one and the same successor. A token that was used up longer
    ago ends its session.
    """
    try:
        token = parsed_refresh_token(text)
    except InvalidError:
        return dead_token()
    session = await rows.locked_session(connection, token.session_id)
    if session is None or not session.is_live:
        return dead_token()
    match replay_of(token, session.keys, now=session.now):
        case Replay.UNKNOWN:
            return dead_token()
        case Replay.REUSED:
            await _end_reused(connection, means, session)
            return dead_token()
        case Replay.GRACE:
            fresh = successor(token, session.keys.salt or b"")
        case Replay.CURRENT:
            salt = secrets.token_bytes(SECRET_BYTES)
            fresh = successor(token, salt)
            await rows.rotate_session(
                connection,
                session,
                current_hash=hashed(fresh.secret),
                salt=salt,
                expires_at=session_expiry(session.created_at, session.now),
                ip=means.client.ip,
            )
    found = await rows.credentials_of_account(connection, session.account_id)
    if found is None or not found.account.may_sign_in:
        return dead_token()
    access = means.keys.sign(
        session.account_id, session_id=session.id, epoch=found.account.token_epoch
    )
    return SignedIn(account=found.account, access_token=access, refresh_token=fresh.text)


async def _end_reused(
    connection: AsyncConnection, means: Means, session: rows.StoredSession
) -> None:
    """End a session of which somebody has a copy, and tell its owner."""
    account_id = session.account_id
    await rows.revoke_sessions(connection, account_id, reason="reused", only=session.id)
    found = await rows.credentials_of_account(connection, account_id)
    if found is not None and found.account.may_sign_in:
        await enqueue(
            connection,
            Mail(
                template="refresh_reused",
                recipient=found.account.email,
                account_id=account_id,
                context={"username": found.account.username},
            ),
        )
    await record(
        connection,
        account_id,
        AuditAction.REFRESH_REUSED,
        client=means.client,
        target=session.id,
        actor="unknown",
    )


async def log_out(connection: AsyncConnection, means: Means, text: str) -> None:
    """End the session of a refresh token; one that does not count changes nothing."""
    try:
        token = parsed_refresh_token(text)
    except InvalidError:
        return
    session = await rows.locked_session(connection, token.session_id)
    if session is None or not session.is_live:
        return
    if replay_of(token, session.keys, now=session.now) is Replay.UNKNOWN:
        return
    await rows.revoke_sessions(connection, session.account_id, reason="signed_out", only=session.id)
    await record(
        connection,
        session.account_id,
        AuditAction.SIGNED_OUT,
        client=means.client,
        target=session.id,
    )
