"""What an account's owner does with it."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.accounts import repository as rows
from api.accounts.schemas import PreferencesRequest, ProfileRequest
from api.mail.outbox import enqueue
from api.shell import one_time
from api.shell.audit import record
from api.shell.client import Client
from api.shell.one_time import Purpose
from models.domain.accounts import normalized_username
from models.domain.audit import AuditAction
from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.mails import Mail
from models.domain.preferences import Consent, Preferences


async def profile(connection: AsyncConnection, account_id: str) -> rows.Profile:
    """Return the account.

    Raises:
        MissingError: it is gone.
    """
    found = await rows.profile_of(connection, account_id)
    if found is None:
        raise MissingError("this account is gone")
    return found


async def change_profile(
    connection: AsyncConnection, account_id: str, asked: ProfileRequest, client: Client
) -> rows.Profile:
    """Change what was sent of the profile, and nothing else.

    Raises:
        InvalidError: the name may not be used.
        ConflictError: another account has it.
    """
    values = asked.model_dump(exclude_unset=True, mode="json")
    if "username" in values:
        values["username"] = normalized_username(values["username"])
    if values:
        try:
            async with connection.begin_nested():
                await rows.set_on_account(connection, account_id, values)
        except IntegrityError as error:
            raise ConflictError("this username exists already") from error
        await record(connection, account_id, AuditAction.PROFILE_CHANGED, client=client)
    return await profile(connection, account_id)


async def ask_for_email(
    connection: AsyncConnection, account_id: str, new_email: str, client: Client
) -> None:
    """Write to a new address to confirm it, and to the present one that this was asked.

    Whether somebody else has the address is not said; confirming it tells.

    Raises:
        InvalidError: it is the account's address already.
    """
    account = (await profile(connection, account_id)).account
    if new_email.lower() == account.email.lower():
        raise InvalidError("this is the account's address already")
    token = await one_time.issue(
        connection, account_id, Purpose.CHANGE_EMAIL, payload={"new_email": new_email}
    )
    hours = int(one_time.LIVES[Purpose.CHANGE_EMAIL].total_seconds() // 3600)
    told = {"username": account.username}
    for template, recipient, context in (
        ("confirm_new_email", new_email, {"token": token, "hours": hours}),
        ("email_changing", account.email, {"new_email": new_email}),
    ):
        await enqueue(
            connection,
            Mail(
                template=template,
                recipient=recipient,
                account_id=account_id,
                context=told | context,
            ),
        )
    await record(connection, account_id, AuditAction.EMAIL_CHANGE_ASKED, client=client)


CONSENT_OF = {"marketing_emails": Consent.MARKETING, "product_analytics": Consent.ANALYTICS}
"""Preferences that are consents: what was decided when is kept."""


async def preferences(
    connection: AsyncConnection, account_id: str
) -> tuple[Preferences, set[Consent]]:
    """Return an account's preferences and what it agrees to."""
    found = await rows.preferences_of(connection, account_id)
    return found, await rows.consents_of(connection, account_id)


async def change_preferences(
    connection: AsyncConnection, account_id: str, asked: PreferencesRequest, client: Client
) -> None:
    """Change what was sent of the preferences, and keep what was agreed to."""
    values = {
        name: value
        for name, value in asked.model_dump(exclude_unset=True, mode="json").items()
        if value is not None
    }
    decided = {CONSENT_OF[name]: values.pop(name) for name in CONSENT_OF if name in values}
    agreed = await rows.consents_of(connection, account_id)
    changed = {
        kind: is_granted for kind, is_granted in decided.items() if is_granted != (kind in agreed)
    }
    for kind, is_granted in changed.items():
        await rows.decide_consent(connection, account_id, kind, is_granted=is_granted, ip=client.ip)
    if values:
        await rows.save_preferences(connection, account_id, values)
        await record(connection, account_id, AuditAction.PREFERENCES_CHANGED, client=client)
    for kind in changed:
        await record(
            connection, account_id, AuditAction.CONSENT_CHANGED, client=client, target=kind
        )
