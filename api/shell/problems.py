"""Errors as RFC 9457 problem documents: one shape for everything that is not an answer."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from models.domain.errors import FileOrganizerError, Kind

MEDIA_TYPE = "application/problem+json"
BASE = "https://fileorganizerpro.com/problems/"
"""Types are names, not pages: stable identifiers for programs (RFC 9457, section 3.1.1)."""

STATUSES: Mapping[Kind, HTTPStatus] = {
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.MISSING: HTTPStatus.NOT_FOUND,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.BROKEN: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Which status an error of our tree becomes (`models/domain/errors.py`)."""

BUSY_RETRY_S = 1

HIDDEN = "something went wrong here; the request id helps us to find it"
"""What is said of a broken promise: its reason may hold an address or a statement."""

OCCUPIED = "a part of the service does not answer; try again shortly"

_log = structlog.get_logger("api")


class FieldError(BaseModel):
    """One value that was refused."""

    pointer: str = Field(description="Where it is: `body/email`, `query/page`.")
    message: str = Field(description="Why.")


class ProblemDocument(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(description="Stable name of the kind of problem, a URI.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The answer's status.")
    detail: str = Field(description="What happened this time, and what to do about it.")
    request_id: str | None = Field(default=None, description="Also in `X-Request-Id`.")
    errors: list[FieldError] | None = Field(default=None, description="Values refused, of a 422.")


class ProblemError(Exception):
    """A problem of HTTP itself, which the tree of `models.domain.errors` has no kind for.

    Args:
        status: 401, 402, 412, 413, 415, 428, 429 and the like.
        detail: what happened and what to do.
        name: end of the type; from the status unless given.
        headers: added to the answer.
        extra: further members of the document.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def _phrase(status: int) -> str:
    """What a status is called; tus has one of its own (460)."""
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Problem"


def document_of(
    status: int,
    detail: str,
    *,
    name: str | None = None,
    request_id: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a problem document."""
    slug = name or _phrase(status).lower().replace(" ", "-").replace("'", "")
    found: dict[str, Any] = {
        "type": BASE + slug,
        "title": slug.replace("-", " ").capitalize(),
        "status": int(status),
        "detail": detail,
    }
    if request_id is not None:
        found["request_id"] = request_id
    return found | dict(extra or {})


def unauthenticated(detail: str, *, error: str | None = None) -> ProblemError:
    """Return the 401 for a request without a token that counts (RFC 6750, section 3)."""
    challenge = 'Bearer realm="fileorganizer"'
    if error is not None:
        challenge += f', error="{error}"'
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})


def step_up_required() -> ProblemError:
    """Return the 401 that asks to prove again who it is (RFC 9470, section 3)."""
    detail = "prove again who you are: POST /v1/auth/reauthenticate, then use its token"
    challenge = (
        'Bearer realm="fileorganizer", error="insufficient_user_authentication", max_age="300"'
    )
    return ProblemError(
        401, detail, name="step-up-required", headers={"WWW-Authenticate": challenge}
    )


def limit_reached(limit: str, allowed: int, *, plan: str) -> ProblemError:
    """Return the 402 for a limit of the plan that another plan would lift."""
    words = limit.replace("_", " ")
    detail = f"the {plan} plan allows {allowed} ({words}); another plan allows more"
    return ProblemError(
        402, detail, name="plan-limit", extra={"limit": limit, "allowed": allowed, "plan": plan}
    )


def problem_response(request: Request, error: ProblemError) -> JSONResponse:
    """Return a problem as an answer."""
    request_id = request.scope.get("state", {}).get("request_id")
    body = document_of(
        error.status, error.detail, name=error.name, request_id=request_id, extra=error.extra
    )
    return JSONResponse(body, error.status, headers=error.headers, media_type=MEDIA_TYPE)


def problem_of(error: FileOrganizerError) -> ProblemError:
    """Return what customers are told of an error of our tree."""
    status = STATUSES[error.kind]
    if error.kind is Kind.BROKEN:
        return ProblemError(status, HIDDEN, name="broken")
    if error.kind is Kind.BUSY:
        retry = {"Retry-After": str(BUSY_RETRY_S)}
        return ProblemError(status, OCCUPIED, name="busy", headers=retry)
    return ProblemError(status, str(error), name=error.kind.value)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of the app become a problem document."""

    async def of_ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, FileOrganizerError)  # noqa: S101 -- registered for it
        if error.kind in (Kind.BROKEN, Kind.BUSY):
            _log.error("request.failed", kind=error.kind.value, exc_info=error)
        return problem_response(request, problem_of(error))

    async def of_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 -- registered for it
        detail = _words(request, error)
        problem = ProblemError(error.status_code, detail, headers=error.headers)
        return problem_response(request, problem)

    async def of_values(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for it
        found = [
            # The refused value itself is not told: it may be a password.
            {"pointer": "/".join(str(part) for part in each["loc"]), "message": each["msg"]}
            for each in error.errors()
        ]
        problem = ProblemError(
            422,
            "some values cannot be taken; see `errors`",
            name="invalid",
            extra={"errors": found},
        )
        return problem_response(request, problem)

    async def of_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)  # noqa: S101 -- registered for it
        return problem_response(request, error)

    app.add_exception_handler(FileOrganizerError, of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_values)
    app.add_exception_handler(ProblemError, of_problem)


def _words(request: Request, error: HTTPException) -> str:
    """What to say of an error of the framework's own."""
    if error.status_code == HTTPStatus.NOT_FOUND and not request.url.path.startswith("/v1/"):
        return "there is nothing here; this API's version is v1, all paths begin with /v1/"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is no such path"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "this path does not know this method"
    return str(error.detail)


EXAMPLES: Mapping[int, str] = {
    400: "the body is not JSON",
    401: "no token, or one that does not count any more",
    402: "the free plan allows 5 (organize jobs per month); another plan allows more",
    403: "this may not be done",
    404: "there is no such thing, or it is not yours",
    409: "the world is not as the request supposes",
    410: "it is gone",
    412: "it was changed since you read it",
    413: "the body is too large",
    415: "this media type is not taken here",
    416: "the range lies outside",
    422: "some values cannot be taken; see `errors`",
    423: "another request is writing",
    429: "too many requests; wait as long as Retry-After says",
    460: "the bytes do not have their checksum",
    500: HIDDEN,
    503: OCCUPIED,
}
"""What the documentation shows of each problem."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of an operation that may answer with these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for number in statuses:
        phrase = _phrase(number)
        example = document_of(number, EXAMPLES.get(number, phrase))
        schema = {"$ref": "#/components/schemas/ProblemDocument"}
        content = {MEDIA_TYPE: {"schema": schema, "example": example}}
        found[number] = {"description": phrase, "content": content}
    return found


PROBLEMS = documented
"""`responses=PROBLEMS(401, 404)`."""
