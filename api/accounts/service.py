"""What an account's owner does with it."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.accounts import repository as rows
from api.accounts.schemas import ProfileRequest
from api.shell.audit import record
from api.shell.client import Client
from models.domain.accounts import normalized_username
from models.domain.audit import AuditAction
from models.domain.errors import ConflictError, MissingError


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
