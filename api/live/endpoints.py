"""`/organize/jobs/{job_id}/events`: a job's events as a stream (server-sent events)."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from api.live.following import Following
from api.live.hub import Hub
from api.live.messages import Message
from api.live.repository import Happenings
from api.shell.authentication import Authenticated
from api.shell.database import Transaction, engine_of
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS, ProblemError
from api.shell.tokens import Claims
from models.domain.errors import InvalidError
from models.domain.job_events import EventKind

router = APIRouter(prefix="/organize", tags=["live"])

BEAT_S = 15.0
"""A comment this often keeps proxies from closing a quiet stream."""

STREAMS_MOST = 50
"""Open streams and sockets of one account in one process."""

STREAM = "text/event-stream"
ENDED = (EventKind.COMPLETE.value, EventKind.UNDONE.value)


@router.get(
    "/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=Response,
    responses={
        200: {
            "description": "Events with their numbers as ids; the stream ends with the job.",
            "content": {
                STREAM: {
                    "schema": {"type": "string"},
                    "example": 'event: job:progress\nid: 7\ndata: {"progress": 42.0}\n\n',
                }
            },
        },
        204: {"description": "The job ended and every event was told: do not ask again."},
        **PROBLEMS(401, 404, 422, 429),
    },
)
async def follow_job(
    job_id: UUID,
    request: Request,
    principal: CurrentAccount,
    claims: Authenticated,
    transaction: Transaction,
    *,
    last_event_id: Annotated[
        str | None, Header(description="Number of the event that was got last.")
    ] = None,
) -> Response:
    """Tell a job's events in order and without gaps, from the first or after `Last-Event-ID`.

    The stream ends with the job, and when the token expires: ask again with the last number.
    """
    after = _number(last_event_id)
    newest, kind = await Happenings(transaction, principal.account_id).newest(str(job_id))
    if kind in ENDED and after >= newest:
        return Response(status_code=204)
    hub = cast("Hub", request.app.state.hub)
    if hub.followers(principal.account_id) >= STREAMS_MOST:
        raise ProblemError(429, "too many streams of this account are open")
    told = _told(engine_of(request), hub, claims, str(job_id), after)
    return StreamingResponse(told, media_type=STREAM, headers={"X-Accel-Buffering": "no"})


async def _told(
    engine: AsyncEngine, hub: Hub, claims: Claims, job_id: str, after: int
) -> AsyncGenerator[str]:
    """Events as lines, until the job ends or the token does."""
    with hub.subscribe(claims.account_id) as mailbox:
        following = Following(engine, mailbox, claims.account_id, only=job_id)
        await following.begin({job_id: after})
        while (left_s := (claims.expires_at - datetime.now(UTC)).total_seconds()) > 0:
            news = await following.news(min(left_s, BEAT_S))
            yield "".join(map(_lines, news)) or ": \n\n"
            if news and news[-1].name in ENDED:
                return


def _lines(message: Message) -> str:
    data = json.dumps(message.data, ensure_ascii=True, separators=(",", ":"))
    return f"event: {message.name}\nid: {message.seq}\ndata: {data}\n\n"


def _number(given: str | None) -> int:
    """The number in `Last-Event-ID`.

    Raises:
        InvalidError: it is none of ours.
    """
    if given is None:
        return 0
    if not given.isascii() or not given.isdigit() or len(given) > 18:  # noqa: PLR2004 -- of 2^63
        raise InvalidError("Last-Event-ID is the number of an event")
    return int(given)
