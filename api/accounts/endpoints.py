"""`/me`: the account that asks."""

from fastapi import APIRouter

from api.accounts import repository as rows
from api.accounts import service
from api.accounts.schemas import ProfileAnswer, ProfileRequest, ProfileSchema
from api.shell.client import RequestClient
from api.shell.database import Transaction
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS

router = APIRouter(prefix="/me", tags=["accounts"])


def profile_answer(found: rows.Profile) -> ProfileAnswer:
    """Return the answer that tells of an account."""
    account = found.account
    return ProfileAnswer(
        user=ProfileSchema(
            id=account.id,
            email=account.email,
            username=account.username,
            subscription_tier=account.tier,
            full_name=account.full_name,
            avatar_url=account.avatar_url,
            is_verified=account.is_verified,
            mfa_enabled=found.mfa_enabled,
            created_at=account.created_at,
            last_login_at=account.last_login_at,
            deletion_scheduled_for=found.deletion_scheduled_for,
        )
    )


@router.get("", responses=PROBLEMS(401))
async def me(principal: CurrentAccount, transaction: Transaction) -> ProfileAnswer:
    """Tell the account that asks."""
    return profile_answer(await service.profile(transaction, principal.account_id))


@router.patch("", responses=PROBLEMS(401, 409, 422))
async def change_me(
    body: ProfileRequest,
    principal: CurrentAccount,
    transaction: Transaction,
    client: RequestClient,
) -> ProfileAnswer:
    """Change name, picture or username; what is not sent stays."""
    return profile_answer(
        await service.change_profile(transaction, principal.account_id, body, client)
    )
