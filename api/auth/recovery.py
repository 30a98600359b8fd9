"""Addresses and passwords: confirming, resetting, changing, proving again."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import repository as rows
from api.auth.means import Means
from api.auth.passwords import checked_password
from api.auth.second_factor import code_needed, is_proved, wrong_code
from api.auth.service import send_verification, wrong_credentials
from api.mail.outbox import enqueue
from api.shell import one_time
from api.shell.audit import record
from api.shell.database import system_transaction
from api.shell.one_time import OneTimeToken, Purpose
from api.shell.principal import STEP_UP, Principal
from api.shell.problems import ProblemError
from models.domain.accounts import Account
from models.domain.audit import AuditAction
from models.domain.errors import ConflictError, InvalidError
from models.domain.mails import Mail

LINK_DEAD = "this link was used or has expired; ask for a new one"


async def verify_email(connection: AsyncConnection, means: Means, token: str) -> Account:
    """Confirm an address, or change it to the one that a token carries.

    Raises:
        InvalidError: the token does not count.
        ConflictError: another account took the address meanwhile.
    """
    found = await one_time.find(connection, token, Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL)
    if found is None:
        raise InvalidError(LINK_DEAD)
    await one_time.spend(connection, found)
    if found.purpose is Purpose.CHANGE_EMAIL:
        return await _change_email(connection, means, found)
    account = await rows.set_on_account(connection, found.account_id, is_verified=True)
    await record(connection, account.id, AuditAction.EMAIL_VERIFIED, client=means.client)
    return account


async def _change_email(connection: AsyncConnection, means: Means, token: OneTimeToken) -> Account:
    """Give an account its new address, and tell the old one."""
    new_email = str(token.payload["new_email"])
    before = await rows.credentials_of_account(connection, token.account_id, is_locked=True)
    if before is None:
        raise InvalidError(LINK_DEAD)
    if await rows.is_email_taken_by_another(connection, new_email, token.account_id):
        raise ConflictError("another account uses this address now")
    account = await rows.set_on_account(
        connection, token.account_id, email=new_email, is_verified=True
    )
    # Links to the old address, of whatever kind, are no proof any more.
    await one_time.revoke(
        connection, account.id, Purpose.VERIFY_EMAIL, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL
    )
    await enqueue(
        connection,
        Mail(
            template="email_changed",
            recipient=before.account.email,
            account_id=account.id,
            context={"username": account.username, "new_email": new_email},
        ),
    )
    await record(connection, account.id, AuditAction.EMAIL_CHANGED, client=means.client)
    return account


async def resend_verification(means: Means, email: str) -> None:
    """Write again to an address that is not confirmed; nothing for any other."""
    async with system_transaction(means.engine) as connection:
        found = await rows.credentials_by_email(connection, email)
        if found and found.account.may_sign_in and not found.account.is_verified:
            await send_verification(connection, found.account)


async def forget_password(means: Means, email: str) -> None:
    """Write to an address how to choose a new password; nothing where nobody has it."""
    async with system_transaction(means.engine) as connection:
        found = await rows.credentials_by_email(connection, email)
        if found is None or not found.account.may_sign_in:
            return
        account = found.account
        token = await one_time.issue(connection, account.id, Purpose.RESET_PASSWORD)
        minutes = one_time.LIVES[Purpose.RESET_PASSWORD].total_seconds() // 60
        context = {"username": account.username, "token": token, "minutes": int(minutes)}
        await enqueue(
            connection,
            Mail(
                template="reset_password",
                recipient=account.email,
                account_id=account.id,
                context=context,
            ),
        )


async def reset_password(
    means: Means, *, token: str, new_password: str, code: str | None
) -> ProblemError | None:
    """Set a new password by a token out of a mail; every session ends.

    Returns:
        The refusal of a wrong code; the attempt is kept.

    Raises:
        InvalidError: the token does not count, or the password may not be used.
        ProblemError: 401: a second factor is on and no code was given.
    """
    chosen = checked_password(new_password)
    async with system_transaction(means.engine) as connection:
        found = await one_time.find(connection, token, Purpose.RESET_PASSWORD)
        who = found and await rows.credentials_of_account(connection, found.account_id)
        if found is None or not who or not who.account.may_sign_in:
            raise InvalidError(LINK_DEAD)
        account = who.account
        chosen = checked_password(chosen, *_about(account))
        if who.has_mfa:
            if code is None:
                raise code_needed()
            if not await is_proved(connection, means, account.id, code):
                await one_time.count_attempt(connection, found)
                return wrong_code()
        await one_time.spend(connection, found)
        await rows.set_on_account(
            connection,
            account.id,
            password_hash=await means.passwords.hash(chosen),
            is_verified=True,  # the link came by that address
            token_epoch=account.token_epoch + 1,
        )
        await rows.revoke_sessions(connection, account.id, reason="password_reset")
        await _password_is_new(connection, means, account, AuditAction.PASSWORD_RESET)
    return None


async def change_password(
    connection: AsyncConnection,
    means: Means,
    principal: Principal,
    *,
    current_password: str,
    new_password: str,
) -> None:
    """Set a new password by the present one; every other session ends.

    Raises:
        ProblemError: 401: the present one is wrong.
        InvalidError: the new one may not be used.
    """
    found = await rows.credentials_of_account(connection, principal.account_id, is_locked=True)
    is_right, _ = await means.passwords.verify(
        current_password, found.password_hash if found else None
    )
    if found is None or not is_right:
        raise wrong_credentials()
    account = found.account
    chosen = checked_password(new_password, *_about(account))
    await rows.set_on_account(
        connection, account.id, password_hash=await means.passwords.hash(chosen)
    )
    await rows.revoke_sessions(
        connection, account.id, reason="password_changed", but=principal.session_id
    )
    await _password_is_new(connection, means, account, AuditAction.PASSWORD_CHANGED)


async def _password_is_new(
    connection: AsyncConnection, means: Means, account: Account, action: AuditAction
) -> None:
    """What follows from a new password: links that were sent die, and the owner is told."""
    await one_time.revoke(
        connection, account.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL, Purpose.MFA
    )
    await enqueue(
        connection,
        Mail(
            template="password_changed",
            recipient=account.email,
            account_id=account.id,
            context={"username": account.username},
        ),
    )
    await record(connection, account.id, action, client=means.client)


async def prove_again(
    connection: AsyncConnection,
    means: Means,
    principal: Principal,
    *,
    password: str | None,
    code: str | None,
) -> str | ProblemError:
    """Return an access token that says that its holder just proved who they are.

    Where a second factor is on, its code is the proof: a password alone would let who knows it
    remove the factor. A refused code is returned, so that the attempt is kept.

    Raises:
        InvalidError: nothing was given.
        ProblemError: 401: the password is wrong, or a code is needed.
    """
    found = await rows.credentials_of_account(connection, principal.account_id)
    if found is None:
        raise wrong_credentials()
    if code is None and password is None:
        raise InvalidError("give the password, or a code of the second factor")
    if found.has_mfa:
        if code is None:
            raise code_needed()
        if not await is_proved(connection, means, principal.account_id, code):
            return wrong_code()
    else:
        is_right, _ = await means.passwords.verify(password or "", found.password_hash)
        if not is_right:
            raise wrong_credentials()
    await record(connection, principal.account_id, AuditAction.STEPPED_UP, client=means.client)
    return means.keys.sign(
        principal.account_id,
        session_id=principal.session_id,
        epoch=found.account.token_epoch,
        stepped_up_at=datetime.now(UTC),
        lifetime=STEP_UP,
    )


def _about(account: Account) -> tuple[str | None, ...]:
    """What a password may not be made of."""
    return (account.email, account.email.partition("@")[0], account.username, account.full_name)
