"""Uploads: a form with files, or tus."""

from fastapi import APIRouter, Request

from api.shell.database import engine_of
from api.shell.file_shapes import uploaded_file
from api.shell.principal import BriefAccount
from api.shell.problems import PROBLEMS
from api.shell.signed_links import Links
from api.shell.storage import AppSettings, ManagedStore
from api.uploads import service, tus_endpoints
from api.uploads.schemas import FORM_SCHEMA, FileAnswer, FilesAnswer

router = APIRouter(tags=["uploads"])
router.include_router(tus_endpoints.router)


@router.post(
    "/files/upload",
    status_code=201,
    responses=PROBLEMS(401, 402, 403, 409, 413, 415, 422, 429, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": FORM_SCHEMA}},
        }
    },
)
async def upload_files(
    request: Request,
    principal: BriefAccount,
    settings: AppSettings,
    store: ManagedStore,
    links: Links,
) -> FileAnswer | FilesAnswer:
    """Upload one file, or several of one category and with the same tags.

    The bytes are written while they arrive; a request that fails leaves nothing. One file is
    answered as `file`, several as `files`. A flow then finds type, facts, category and thumbnail.
    """
    files = await service.receive_form(
        request.stream(),
        headers=request.headers,
        engine=engine_of(request),
        settings=settings,
        principal=principal,
        store=store,
    )
    shown = [uploaded_file(each, links) for each in files]
    return FileAnswer(file=shown[0]) if len(shown) == 1 else FilesAnswer(files=shown)
