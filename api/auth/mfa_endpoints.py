"""`/auth/2fa`: the second factor."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.auth import repository as rows
from api.auth import second_factor
from api.auth.means import RequestMeans
from api.auth.schemas import (
    ConfirmTotpRequest,
    RecoveryCodesAnswer,
    SignedInAnswer,
    TotpAnswer,
    UserSchema,
    VerifyMfaRequest,
)
from api.shell.client import RequestClient
from api.shell.database import SystemTransaction, Transaction
from api.shell.principal import CurrentAccount, Principal, SteppedUp
from api.shell.problems import PROBLEMS, ProblemError, problem_response
from models.domain.accounts import Account
from models.domain.errors import InvalidError, MissingError

router = APIRouter(prefix="/2fa")


async def _account_of(transaction: Transaction, principal: Principal) -> Account:
    found = await rows.credentials_of_account(transaction, principal.account_id, is_locked=True)
    if found is None:
        raise MissingError("this account is gone")
    return found.account


@router.post("/totp", status_code=HTTPStatus.CREATED, responses=PROBLEMS(401, 409))
async def begin_totp(
    principal: SteppedUp, means: RequestMeans, transaction: Transaction
) -> TotpAnswer:
    """Begin with a second factor; it is on once a code confirms it. Asks for a fresh proof."""
    await _account_of(transaction, principal)
    found = await second_factor.begin(transaction, means, principal)
    return TotpAnswer(secret=found.secret, otpauth_url=found.otpauth_url, enrolment_id=found.id)


@router.post("/totp/confirm", responses=PROBLEMS(401, 404, 409, 422))
async def confirm_totp(
    body: ConfirmTotpRequest,
    principal: CurrentAccount,
    means: RequestMeans,
    transaction: Transaction,
) -> RecoveryCodesAnswer:
    """Switch the second factor on; the recovery codes are shown this once."""
    account = await _account_of(transaction, principal)
    codes = await second_factor.confirm(
        transaction, means, account, enrolment_id=str(body.enrolment_id), code=body.code
    )
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.delete("/totp", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(401, 404))
async def remove_totp(
    principal: SteppedUp, transaction: Transaction, client: RequestClient
) -> None:
    """Switch the second factor off. Asks for a fresh proof."""
    account = await _account_of(transaction, principal)
    await second_factor.remove(transaction, account, client)


@router.post("/recovery-codes", responses=PROBLEMS(401, 409))
async def renew_codes(
    principal: SteppedUp, transaction: Transaction, client: RequestClient
) -> RecoveryCodesAnswer:
    """Get new recovery codes; the old ones die. Asks for a fresh proof."""
    await _account_of(transaction, principal)
    codes = await second_factor.renew_codes(transaction, principal.account_id, client)
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.post("/verify", response_model=SignedInAnswer, responses=PROBLEMS(401, 422, 429))
async def finish_login(
    body: VerifyMfaRequest, means: RequestMeans, transaction: SystemTransaction, request: Request
) -> SignedInAnswer | Response:
    """Finish signing in by a code of the second factor, or a recovery code."""
    given = [code for code in (body.code, body.recovery_code) if code]
    if len(given) != 1:
        raise InvalidError("give either a code or a recovery code")
    found = await second_factor.finish_login(
        transaction, means, mfa_token=body.mfa_token, code=given[0]
    )
    if isinstance(found, ProblemError):
        return problem_response(request, found)
    return SignedInAnswer(
        user=UserSchema.of(found.account),
        access_token=found.access_token,
        refresh_token=found.refresh_token,
    )
