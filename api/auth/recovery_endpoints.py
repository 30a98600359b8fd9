"""`/auth`: addresses and passwords."""

from http import HTTPStatus

from fastapi import APIRouter, BackgroundTasks, Request, Response

from api.auth import recovery
from api.auth.means import RequestMeans
from api.auth.schemas import (
    ChangePasswordRequest,
    EmailRequest,
    ReauthenticateRequest,
    ResetRequest,
    StepUpAnswer,
    TokenRequest,
    UserAnswer,
    UserSchema,
)
from api.shell.database import SystemTransaction, Transaction
from api.shell.principal import STEP_UP, CurrentAccount, SteppedUp
from api.shell.problems import PROBLEMS, ProblemError, problem_response

router = APIRouter()


@router.post("/verify-email", responses=PROBLEMS(409, 422))
async def verify_email(
    body: TokenRequest, means: RequestMeans, transaction: SystemTransaction
) -> UserAnswer:
    """Confirm an address by the token of a mail; a new one replaces the old one now."""
    account = await recovery.verify_email(transaction, means, body.token)
    return UserAnswer(user=UserSchema.of(account))


@router.post("/verify-email/resend", status_code=HTTPStatus.ACCEPTED, responses=PROBLEMS(422))
async def resend_verification(
    body: EmailRequest, means: RequestMeans, later: BackgroundTasks
) -> Response:
    """Write again to an address that is not confirmed; the answer does not say whether."""
    later.add_task(recovery.resend_verification, means, body.email)
    return Response(status_code=HTTPStatus.ACCEPTED, background=later)


@router.post("/password/forgot", status_code=HTTPStatus.ACCEPTED, responses=PROBLEMS(422))
async def forget_password(
    body: EmailRequest, means: RequestMeans, later: BackgroundTasks
) -> Response:
    """Write to an address how to choose a new password; the answer does not say whether."""
    later.add_task(recovery.forget_password, means, body.email)
    return Response(status_code=HTTPStatus.ACCEPTED, background=later)


@router.post(
    "/password/reset", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(401, 422, 429)
)
async def reset_password(body: ResetRequest, means: RequestMeans, request: Request) -> Response:
    """Set a new password by the token of a mail, and the second factor's code where it is on."""
    refusal = await recovery.reset_password(
        means,
        token=body.token,
        new_password=body.new_password.get_secret_value(),
        code=body.code,
    )
    if refusal is not None:
        return problem_response(request, refusal)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/password/change", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(401, 422))
async def change_password(
    body: ChangePasswordRequest,
    principal: SteppedUp,
    means: RequestMeans,
    transaction: Transaction,
) -> None:
    """Set a new password; every other session ends. Asks for a fresh proof."""
    await recovery.change_password(
        transaction,
        means,
        principal,
        current_password=body.current_password.get_secret_value(),
        new_password=body.new_password.get_secret_value(),
    )


@router.post("/reauthenticate", response_model=StepUpAnswer, responses=PROBLEMS(401, 422, 429))
async def prove_again(
    body: ReauthenticateRequest,
    principal: CurrentAccount,
    means: RequestMeans,
    transaction: Transaction,
    request: Request,
) -> StepUpAnswer | Response:
    """Prove again who you are; the token is an access token of five minutes."""
    password = body.password.get_secret_value() if body.password else None
    found = await recovery.prove_again(
        transaction, means, principal, password=password, code=body.code
    )
    if isinstance(found, ProblemError):
        return problem_response(request, found)
    return StepUpAnswer(step_up_token=found, expires_in=int(STEP_UP.total_seconds()))
