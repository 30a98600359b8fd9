"""Bytes and thumbnails, by a link of minutes or by a token."""

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.files import content
from api.shell.authentication import optional_claims
from api.shell.database import engine_of
from api.shell.problems import PROBLEMS, unauthenticated
from api.shell.signed_links import Links
from api.shell.storage import AppSettings
from api.shell.tokens import Claims
from models.domain.errors import MissingError
from warehouse.store.parts import open_lake

router = APIRouter()

LinkToken = Annotated[
    str | None, Query(max_length=200, description="Of a link; without, a bearer token is needed.")
]
Bearer = Annotated[Claims | None, Depends(optional_claims)]
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All bytes.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The range that was asked for.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "You have these bytes."},
}


def _asker(file_id: str, token: str | None, bearer: Claims | None, links: Links) -> str:
    """Return whose file is asked for.

    Raises:
        ProblemError: 401.
    """
    if token is not None:
        return links.account_of(token, file_id)
    if bearer is None:
        raise unauthenticated("the link of the file, or a bearer token is needed")
    return bearer.account_id


@router.get(
    "/files/{file_id}/content",
    response_class=Response,
    responses=_BYTES | PROBLEMS(401, 403, 404, 409, 416, 422, 429, 503),
)
async def get_content(
    file_id: UUID,
    request: Request,
    links: Links,
    settings: AppSettings,
    bearer: Bearer,
    *,
    token: LinkToken = None,
) -> Response:
    """Download a file, whole or a range of it."""
    account_id = _asker(str(file_id), token, bearer, links)
    file, way = await content.found_file(engine_of(request), account_id, str(file_id))
    if content.is_unchanged(file, request.headers):
        return Response(status_code=304, headers={"ETag": content.content_tag(file)})
    span = content.asked_span(file, request.headers)
    return StreamingResponse(
        await content.bytes_of(settings, file, way, span),
        status_code=206 if span.is_part else 200,
        headers=content.headers_of(file, span),
        media_type=file.mime or "application/octet-stream",
    )


@router.get(
    "/files/{file_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"description": "A picture.", "content": {"image/webp": {}}},
        202: {"description": "Not made yet; ask again shortly."},
    }
    | PROBLEMS(401, 404, 422, 429),
)
async def get_thumbnail(
    file_id: UUID,
    request: Request,
    links: Links,
    settings: AppSettings,
    bearer: Bearer,
    *,
    token: LinkToken = None,
    size: Annotated[
        Literal["s", "m", "l"], Query(description="At most; one of 256 pixels is kept.")
    ] = "m",
) -> Response:
    """Show a file small; 202 while the flow that follows an upload has not made it yet."""
    del size  # one size is kept; who wants a smaller one lets the browser scale it
    account_id = _asker(str(file_id), token, bearer, links)
    file, _ = await content.found_file(engine_of(request), account_id, str(file_id))
    key = file.thumbnail_key
    if key is None:
        if not file.is_published:
            return Response(status_code=202, headers={"Retry-After": "2"})
        raise MissingError("this file has no thumbnail")
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    picture = await asyncio.to_thread(lake.read_blob, key)
    headers = {"Cache-Control": "private, max-age=900", "X-Content-Type-Options": "nosniff"}
    return Response(picture, media_type="image/webp", headers=headers)
