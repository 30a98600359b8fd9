"""`/me`: the account that asks."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from api.accounts import repository as rows
from api.accounts import service
from api.accounts.schemas import (
    EmailRequest,
    EntitlementsAnswer,
    EventsAnswer,
    EventSchema,
    PreferencesAnswer,
    PreferencesRequest,
    PreferencesSchema,
    ProfileAnswer,
    ProfileRequest,
    ProfileSchema,
    UsageAnswer,
    UseSchema,
)
from api.accounts.usage import usage_of
from api.shell.client import RequestClient
from api.shell.database import Transaction
from api.shell.pagination import Cursor, CursorQuery
from api.shell.principal import CurrentAccount, SteppedUp
from api.shell.problems import PROBLEMS
from models.domain.errors import InvalidError
from models.domain.organizing import OperationType
from models.domain.preferences import Consent

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


@router.post("/email", status_code=HTTPStatus.ACCEPTED, responses=PROBLEMS(401, 422))
async def change_email(
    body: EmailRequest, principal: SteppedUp, transaction: Transaction, client: RequestClient
) -> Response:
    """Ask for another address; both are written to. Asks for a fresh proof."""
    await service.ask_for_email(transaction, principal.account_id, body.new_email, client)
    return Response(status_code=HTTPStatus.ACCEPTED)


@router.get("/entitlements", responses=PROBLEMS(401))
async def entitlements(principal: CurrentAccount) -> EntitlementsAnswer:
    """Tell what the plan allows, as the account stands now."""
    return EntitlementsAnswer(
        plan=principal.plan, features=dict(principal.features), limits=dict(principal.limits)
    )


@router.get("/usage", responses=PROBLEMS(401))
async def usage(principal: CurrentAccount, transaction: Transaction) -> UsageAnswer:
    """Tell how much of the plan's limits is used."""
    found = await usage_of(transaction, principal.account_id, principal.limits)
    return UsageAnswer(
        usage={
            name: UseSchema(used=use.used, limit=use.limit, resets_at=use.resets_at)
            for name, use in found.items()
        }
    )


@router.get("/preferences", responses=PROBLEMS(401))
async def preferences(principal: CurrentAccount, transaction: Transaction) -> PreferencesAnswer:
    """Tell how the account's owner likes the product."""
    found, agreed = await service.preferences(transaction, principal.account_id)
    return PreferencesAnswer(
        preferences=PreferencesSchema(
            theme=found.theme,
            locale=found.locale,
            timezone=found.timezone,
            default_mode=found.default_mode,
            default_operation=OperationType(found.default_operation),
            marketing_emails=Consent.MARKETING in agreed,
            product_analytics=Consent.ANALYTICS in agreed,
        )
    )


@router.patch("/preferences", responses=PROBLEMS(401, 422))
async def change_preferences(
    body: PreferencesRequest,
    principal: CurrentAccount,
    transaction: Transaction,
    client: RequestClient,
) -> PreferencesAnswer:
    """Change preferences; what is not sent stays."""
    await service.change_preferences(transaction, principal.account_id, body, client)
    return await preferences(principal, transaction)


@router.get("/audit-log", responses=PROBLEMS(401, 422))
async def audit_log(
    *,
    principal: CurrentAccount,
    transaction: Transaction,
    cursor: CursorQuery,
    action: Annotated[str | None, Query(max_length=100, examples=["session.signed_in"])] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> EventsAnswer:
    """List what was done with the account, the newest first; each hash covers the one before."""
    part = await rows.audit_entries(
        transaction,
        principal.account_id,
        limit=cursor.limit,
        before_seq=seq_of(cursor),
        action=action,
        since=since,
        until=until,
    )
    last = part.entries[-1][1].seq if part.has_more else None
    return EventsAnswer(
        events=[
            EventSchema(
                id=entry_id,
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                target=entry.target,
                ip=entry.ip,
                hash=entry.hash,
            )
            for entry_id, entry in part.entries
        ],
        pagination=cursor.pagination(None if last is None else (last,)),
    )


def seq_of(cursor: Cursor) -> int | None:
    """Return the number of the entry that a cursor stands at.

    Raises:
        InvalidError: it is a cursor of another list.
    """
    match cursor.after:
        case None:
            return None
        case (int(seq),) if 0 < seq < 2**63:
            return seq
        case _:
            raise InvalidError("this cursor was not given by us")
