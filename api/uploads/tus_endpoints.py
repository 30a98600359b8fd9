"""Resumable uploads: the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload)."""

from collections.abc import Mapping
from email.utils import format_datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from api.shell.database import engine_of
from api.shell.principal import BriefAccount
from api.shell.problems import PROBLEMS, ProblemError
from api.shell.storage import AppSettings, ManagedStore
from api.uploads.tus import ALGORITHM, Tus
from models.domain.upload_sessions import UploadSession
from models.entitlements import price_list

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
PATCH_TYPE = "application/offset+octet-stream"
LONGEST = 2**62
"""Sizes above are no sizes of files."""

router = APIRouter(prefix="/uploads")


async def _speaks_tus(tus_resumable: Annotated[str | None, Header()] = None) -> None:
    """Refuse another version of the protocol, as it says: 412 with ours."""
    if tus_resumable != VERSION:
        ours = {"Tus-Version": VERSION, "Tus-Resumable": VERSION}
        raise ProblemError(412, f"this speaks tus {VERSION}: send Tus-Resumable", headers=ours)


async def _tus(
    request: Request, principal: BriefAccount, settings: AppSettings, store: ManagedStore
) -> Tus:
    return Tus(engine=engine_of(request), settings=settings, principal=principal, store=store)


Uploads = Annotated[Tus, Depends(_tus)]
SPOKEN = [Depends(_speaks_tus)]
Length = Annotated[int | None, Header(alias="Upload-Length", ge=0, le=LONGEST)]
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, le=LONGEST)]


def _headers(session: UploadSession) -> Mapping[str, str]:
    found = {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(session.received_bytes),
        "Cache-Control": "no-store",
    }
    if session.file_id is None:
        found["Upload-Expires"] = format_datetime(session.expires_at, usegmt=True)
    else:
        found["Content-Location"] = f"/v1/files/{session.file_id}"
    return found


@router.options("", status_code=204)
async def tell_tus() -> Response:
    """Say what of tus is spoken here; no token is needed."""
    largest = [plan.limits["max_file_bytes"] for plan in price_list().plans.values()]
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ALGORITHM,
    }
    if None not in largest:
        headers["Tus-Max-Size"] = str(max(size for size in largest if size is not None))
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    dependencies=SPOKEN,
    responses=PROBLEMS(400, 401, 402, 403, 412, 413, 422, 429),
)
async def begin_upload(
    uploads: Uploads,
    upload_length: Length = None,
    upload_metadata: Annotated[str, Header()] = "",
) -> Response:
    """Begin a resumable upload; `Location` says where its bytes go.

    `Upload-Metadata` may have `filename`, `category`, `tags` (a JSON array) and `sha256`.
    """
    if upload_length is None:
        raise ProblemError(400, "Upload-Length is needed; its deferral is not spoken here")
    session = await uploads.begin(upload_length, upload_metadata)
    where = {"Location": f"/v1/uploads/{session.id}"}
    return Response(status_code=201, headers={**_headers(session), **where})


@router.head(
    "/{upload_id}",
    dependencies=SPOKEN,
    responses=PROBLEMS(401, 404, 410, 412, 422),
    status_code=200,
)
async def look_at_upload(upload_id: UUID, uploads: Uploads) -> Response:
    """Say how much of an upload is safe; one that a killed server left whole becomes its file."""
    session = await uploads.finish(await uploads.look(str(upload_id)))
    headers = {**_headers(session), "Upload-Length": str(session.size_bytes)}
    if session.metadata:
        headers["Upload-Metadata"] = session.metadata
    return Response(status_code=200, headers=headers)


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=SPOKEN,
    responses=PROBLEMS(400, 401, 402, 403, 404, 409, 410, 412, 413, 415, 422, 423, 460),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {PATCH_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append_to_upload(
    request: Request,
    upload_id: UUID,
    uploads: Uploads,
    upload_offset: Offset,
    upload_checksum: Annotated[str | None, Header()] = None,
) -> Response:
    """Add bytes to an upload; after the last ones `Content-Location` names its file.

    A wrong `Upload-Checksum` answers 460, and nothing of the request counts.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != PATCH_TYPE:
        raise ProblemError(415, f"the bytes of an upload come as {PATCH_TYPE}")
    session = await uploads.append(
        str(upload_id), upload_offset, request.stream(), checksum=upload_checksum
    )
    return Response(status_code=204, headers=_headers(session))


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=SPOKEN,
    responses=PROBLEMS(401, 404, 410, 412, 422, 423),
)
async def end_upload(upload_id: UUID, uploads: Uploads) -> Response:
    """Give an upload up; what came of it is removed, and its promise of storage given back."""
    await uploads.end(str(upload_id))
    return Response(status_code=204, headers={"Tus-Resumable": VERSION})
