"""`/auth`: registering, signing in and out, refreshing, sessions."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from api.auth import mfa_endpoints, recovery_endpoints, service
from api.auth import repository as rows
from api.auth.means import RequestMeans
from api.auth.schemas import (
    LoginRequest,
    MfaRequiredAnswer,
    RefreshRequest,
    RegisterRequest,
    SessionsAnswer,
    SessionSchema,
    SignedInAnswer,
    TokensAnswer,
    UserSchema,
)
from api.shell.audit import record
from api.shell.client import RequestClient
from api.shell.database import SystemTransaction, Transaction
from api.shell.principal import CurrentAccount, SteppedUp
from api.shell.problems import PROBLEMS, ProblemError, problem_response
from models.domain.audit import AuditAction
from models.domain.errors import MissingError

router = APIRouter(prefix="/auth", tags=["auth"])


def signed_in_answer(found: service.SignedIn) -> SignedInAnswer:
    """Return the answer to who signed in."""
    return SignedInAnswer(
        user=UserSchema.of(found.account),
        access_token=found.access_token,
        refresh_token=found.refresh_token,
    )


@router.post("/register", status_code=HTTPStatus.CREATED, responses=PROBLEMS(409, 422))
async def register(
    body: RegisterRequest, means: RequestMeans, response: Response
) -> SignedInAnswer:
    """Make an account and sign it in; its address gets a mail to confirm."""
    found = await service.register(
        means,
        email=body.email,
        password=body.password.get_secret_value(),
        username=body.username,
        full_name=body.full_name,
    )
    response.headers["Location"] = "/v1/me"
    return signed_in_answer(found)


@router.post(
    "/login",
    response_model=SignedInAnswer | MfaRequiredAnswer,
    responses=PROBLEMS(401, 422),
)
async def login(
    body: LoginRequest, means: RequestMeans, request: Request
) -> SignedInAnswer | MfaRequiredAnswer | Response:
    """Sign in; where a second factor is on, the answer asks for its code."""
    try:
        found = await service.log_in(
            means, email=body.email, password=body.password.get_secret_value()
        )
    except ProblemError as error:
        # Recorded after the answer: whether there is an account to record it of does not show.
        refusal = problem_response(request, error)
        refusal.background = BackgroundTask(service.note_failure, means, body.email)
        return refusal
    if isinstance(found, str):
        return MfaRequiredAnswer(mfa_token=found)
    return signed_in_answer(found)


@router.post("/refresh", response_model=TokensAnswer, responses=PROBLEMS(401, 422))
async def refresh(
    body: RefreshRequest, means: RequestMeans, transaction: SystemTransaction, request: Request
) -> TokensAnswer | Response:
    """Use a refresh token up and get both tokens anew.

    The same token again within ten seconds gets the same refresh token; later it ends the session.
    """
    found = await service.refresh(transaction, means, body.refresh_token)
    if isinstance(found, ProblemError):
        return problem_response(request, found)
    return TokensAnswer(access_token=found.access_token, refresh_token=found.refresh_token)


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(422))
async def logout(body: RefreshRequest, means: RequestMeans, transaction: SystemTransaction) -> None:
    """End the session of a refresh token, its access tokens included."""
    await service.log_out(transaction, means, body.refresh_token)


@router.post("/logout-all", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(401))
async def logout_all(principal: SteppedUp, transaction: Transaction, client: RequestClient) -> None:
    """End every session of the account, this one included. Asks for a fresh proof."""
    found = await rows.credentials_of_account(transaction, principal.account_id, is_locked=True)
    if found is None:
        raise MissingError("this account is gone")
    await rows.revoke_sessions(transaction, principal.account_id, reason="signed_out_everywhere")
    await rows.set_on_account(
        transaction, principal.account_id, token_epoch=found.account.token_epoch + 1
    )
    await record(
        transaction, principal.account_id, AuditAction.SIGNED_OUT_EVERYWHERE, client=client
    )


@router.get("/sessions", responses=PROBLEMS(401))
async def sessions(principal: CurrentAccount, transaction: Transaction) -> SessionsAnswer:
    """List the account's signed-in devices."""
    found = await rows.live_sessions(transaction, principal.account_id)
    return SessionsAnswer(
        sessions=[
            SessionSchema(
                id=each.id,
                ip=each.ip,
                user_agent=each.user_agent,
                created_at=each.created_at,
                last_seen_at=each.last_seen_at,
                current=each.id == principal.session_id,
            )
            for each in found
        ]
    )


@router.delete(
    "/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT, responses=PROBLEMS(401, 404, 422)
)
async def revoke_session(
    session_id: UUID, principal: CurrentAccount, transaction: Transaction, client: RequestClient
) -> None:
    """End one session of the account; its access tokens stop working at once."""
    ended = await rows.revoke_sessions(
        transaction, principal.account_id, reason="revoked", only=str(session_id)
    )
    if not ended:
        raise MissingError("there is no such session, or it is not yours")
    await record(
        transaction,
        principal.account_id,
        AuditAction.SESSION_REVOKED,
        client=client,
        target=str(session_id),
    )


router.include_router(recovery_endpoints.router)
router.include_router(mfa_endpoints.router)
