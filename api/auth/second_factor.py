"""Second factors: codes by time (RFC 6238), and recovery codes for who lost them."""

import hmac
import secrets
import time
from dataclasses import dataclass

import pyotp
from pyotp.totp import TOTP
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import repository as rows
from api.auth.means import Means
from api.auth.service import SignedIn, sign_in
from api.mail.outbox import enqueue
from api.shell import one_time
from api.shell.audit import record
from api.shell.client import Client
from api.shell.one_time import Purpose
from api.shell.principal import Principal
from api.shell.problems import ProblemError
from models.domain.accounts import Account
from models.domain.audit import AuditAction
from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.mails import Mail

ISSUER = "FileOrganizer"
STEP_S = 30
DRIFT_STEPS = 1
"""Codes of the step before and after count, too (RFC 6238, 5.2)."""

CODES = 10
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters and digits that look alike; twelve of them are 59 bits."""
GROUPS, GROUP_LETTERS = 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A factor that is to be confirmed."""

    id: str
    secret: str
    otpauth_url: str


def wrong_code() -> ProblemError:
    """Return the refusal of a code, and of a token that no code can finish any more."""
    return ProblemError(
        401,
        "the code does not count; take the newest one, or sign in again",
        name="wrong-code",
        headers={"WWW-Authenticate": 'Bearer realm="fileorganizer"'},
    )


def code_needed() -> ProblemError:
    """Return the refusal that asks for a code beside what was given."""
    return ProblemError(
        401,
        "a code of the second factor is needed: send it as `code`",
        name="mfa-required",
        headers={"WWW-Authenticate": 'Bearer realm="fileorganizer"'},
    )


def new_codes() -> list[str]:
    """Return fresh recovery codes."""
    return [
        "-".join(
            "".join(secrets.choice(CODE_LETTERS) for _ in range(GROUP_LETTERS))
            for _ in range(GROUPS)
        )
        for _ in range(CODES)
    ]


def matching_step(secret: str, code: str, *, now_s: float, after: int) -> int | None:
    """Return the time step that a code is of, None when it is of none that counts.

    Args:
        secret: in base 32.
        code: six digits.
        now_s: seconds since 1970.
        after: newest step that was used: it and older ones do not count again.
    """
    present = int(now_s // STEP_S)
    otp = TOTP(secret, interval=STEP_S)
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        is_equal = hmac.compare_digest(otp.generate_otp(step).encode(), code.encode())
        if is_equal and step > after:
            found = step
    return found


async def begin(connection: AsyncConnection, means: Means, principal: Principal) -> Enrolment:
    """Make a factor that protects nothing yet.

    Raises:
        ConflictError: one is on already.
    """
    if await rows.factor_of(connection, principal.account_id) is not None:
        raise ConflictError("a second factor is on already; remove it first")
    secret = pyotp.random_base32()
    sealed = means.box.seal(secret.encode())
    factor_id = await rows.insert_factor(connection, principal.account_id, sealed)
    url = TOTP(secret, interval=STEP_S).provisioning_uri(name=principal.email, issuer_name=ISSUER)
    return Enrolment(id=factor_id, secret=secret, otpauth_url=url)


async def confirm(
    connection: AsyncConnection, means: Means, account: Account, *, enrolment_id: str, code: str
) -> list[str]:
    """Switch a factor on by its first code, and return recovery codes.

    Raises:
        MissingError: there is no such enrolment of this account.
        ConflictError: one is on already.
        InvalidError: the code is wrong.
    """
    if await rows.factor_of(connection, account.id) is not None:
        raise ConflictError("a second factor is on already; remove it first")
    factor = await rows.factor_of(connection, account.id, unconfirmed_id=enrolment_id)
    if factor is None:
        raise MissingError("there is no such enrolment; begin again")
    secret = means.box.open(factor.sealed).decode()
    now_s = time.time()
    step = matching_step(secret, code, now_s=now_s, after=0)
    if step is None:
        raise InvalidError("the code is wrong; is the clock of the device right?")
    await rows.switch_factor_on(connection, factor.id, step=step)
    codes = new_codes()
    await rows.replace_codes(connection, account.id, codes)
    await _tell(connection, account, is_enabled=True)
    await record(connection, account.id, AuditAction.MFA_ENABLED, client=means.client)
    return codes


async def remove(connection: AsyncConnection, account: Account, client: Client) -> None:
    """Switch the factor off; its recovery codes die with it.

    Raises:
        MissingError: none is on.
    """
    if await rows.factor_of(connection, account.id) is None:
        raise MissingError("no second factor is on")
    await rows.delete_factors(connection, account.id)
    await _tell(connection, account, is_enabled=False)
    await record(connection, account.id, AuditAction.MFA_DISABLED, client=client)


async def renew_codes(connection: AsyncConnection, account_id: str, client: Client) -> list[str]:
    """Return new recovery codes; the old ones die.

    Raises:
        ConflictError: no factor is on, so that there is nothing to recover.
    """
    if await rows.factor_of(connection, account_id) is None:
        raise ConflictError("no second factor is on")
    codes = new_codes()
    await rows.replace_codes(connection, account_id, codes)
    await record(connection, account_id, AuditAction.RECOVERY_CODES_MADE, client=client)
    return codes


async def is_proved(connection: AsyncConnection, means: Means, account_id: str, code: str) -> bool:
    """Return whether a code is the factor's or a recovery code, and use it up.

    Raises:
        ProblemError: 429: too many wrong ones lately.
    """
    if await rows.wrong_codes_lately(connection, account_id) >= rows.WRONG_CODES_MOST:
        raise too_many_codes()
    plain = code.replace(" ", "")
    if plain.isascii() and plain.isdigit():
        is_right = await _is_code_of_factor(connection, means, account_id, plain)
    else:
        is_right = await rows.use_code(connection, account_id, plain)
        if is_right:
            await record(
                connection, account_id, AuditAction.RECOVERY_CODE_USED, client=means.client
            )
    if not is_right:
        await record(
            connection, account_id, AuditAction.CODE_FAILED, client=means.client, actor="unknown"
        )
    return is_right


def too_many_codes() -> ProblemError:
    """Return the refusal to try more codes for a while."""
    return ProblemError(
        429,
        "too many wrong codes; wait a quarter of an hour",
        headers={"Retry-After": str(int(rows.WRONG_CODES_WINDOW.total_seconds()))},
    )


async def _is_code_of_factor(
    connection: AsyncConnection, means: Means, account_id: str, code: str
) -> bool:
    factor = await rows.factor_of(connection, account_id)
    if factor is None:
        return False
    secret = means.box.open(factor.sealed).decode()
    step = matching_step(secret, code, now_s=time.time(), after=factor.last_step)
    if step is None:
        return False
    await rows.set_on_factor(connection, factor.id, last_step=step)
    return True


async def finish_login(
    connection: AsyncConnection, means: Means, *, mfa_token: str, code: str
) -> SignedIn | ProblemError:
    """Sign in by the token that the password gave and a code; the refusal is returned.

    So it is kept that an attempt was made; after five the token is worth nothing.
    """
    token = await one_time.find(connection, mfa_token, Purpose.MFA)
    if token is None:
        return wrong_code()
    if not await is_proved(connection, means, token.account_id, code):
        await one_time.count_attempt(connection, token)
        return wrong_code()
    await one_time.spend(connection, token)
    return await sign_in(connection, means, token.account_id)


async def _tell(connection: AsyncConnection, account: Account, *, is_enabled: bool) -> None:
    await enqueue(
        connection,
        Mail(
            template="mfa_changed",
            recipient=account.email,
            account_id=account.id,
            context={"username": account.username, "is_enabled": is_enabled},
        ),
    )
