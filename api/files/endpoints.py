"""Files: listed, looked at, changed, trashed, restored, checked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from api.files import content_endpoints, service
from api.files.repository import Files, Listing, Part, place_of
from api.files.schemas import (
    BulkAnswer,
    BulkFiles,
    BulkProblem,
    BulkResult,
    ChangeFile,
    CheckAnswer,
    CheckFiles,
    EmptiedTrash,
    OneFile,
)
from api.files.schemas import Files as FilesAnswer
from api.shell.database import Transaction
from api.shell.file_shapes import detailed_file, listed_file
from api.shell.pagination import (
    PER_PAGE,
    PER_PAGE_MOST,
    Page,
    Pagination,
    decode_cursor,
    encode_cursor,
)
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from api.shell.signed_links import Links, LinkSigner
from api.shell.storage import AppSettings
from models.domain.files import FileFilter, FileSort, SortOrder, TagMatch
from models.domain.uploads import tags_from_fields

router = APIRouter(tags=["files"])
router.include_router(content_endpoints.router)

PageNumber = Annotated[int, Query(ge=1, le=100_000, description="Which page, from 1.")]
PerPage = Annotated[int, Query(ge=1, le=PER_PAGE_MOST, description="How many.")]
CursorText = Annotated[
    str | None,
    Query(max_length=2000, description="`next_cursor` of the part before; goes before `page`."),
]


def _shown(
    part: Part, listing: Listing, links: LinkSigner, page: Page, total: int, *, by_cursor: bool
) -> FilesAnswer:
    last = part.files[-1] if part.has_more else None
    cursor = (
        None
        if last is None
        else encode_cursor((service.order_of(listing), *place_of(last, listing)))
    )
    pagination = page.pagination(total, next_cursor=cursor)
    if by_cursor:
        pagination = Pagination(
            page=None,
            per_page=page.per_page,
            total=total,
            pages=pagination.pages,
            next_cursor=cursor,
        )
    return FilesAnswer(
        files=[listed_file(each, links) for each in part.files], pagination=pagination
    )


@router.get("/files", responses=PROBLEMS(401, 422, 429))
async def list_files(
    principal: CurrentAccount,
    transaction: Transaction,
    links: Links,
    *,
    page: PageNumber = 1,
    per_page: PerPage = PER_PAGE,
    cursor: CursorText = None,
    category: Annotated[
        str | None,
        Query(max_length=100, description="A category; one of the coarse five takes all below it."),
    ] = None,
    tags: Annotated[
        list[str], Query(max_length=100, description="Each a tag, or a JSON array of tags.")
    ] = [],  # noqa: B006 - FastAPI reads it, nobody changes it
    match: Annotated[
        TagMatch, Query(description="`all`: files with every tag; `any`: with one of them.")
    ] = TagMatch.ALL,
    sort_by: FileSort = FileSort.CREATED_AT,
    order: SortOrder = SortOrder.DESC,
) -> FilesAnswer:
    """List files; equal ones in the sort are ordered by id, so that pages never repeat."""
    listing = Listing(
        wanted=FileFilter(category=category or None, tags=tags_from_fields(tags), match=match),
        sort=sort_by,
        order=order,
    )
    return await _listed(
        Files(transaction, principal.account_id), listing, links, page, per_page, cursor
    )


@router.get("/trash", responses=PROBLEMS(401, 422, 429))
async def list_trash(
    principal: CurrentAccount,
    transaction: Transaction,
    links: Links,
    *,
    page: PageNumber = 1,
    per_page: PerPage = PER_PAGE,
    cursor: CursorText = None,
) -> FilesAnswer:
    """List what is in the trash, what went last first."""
    listing = Listing(wanted=FileFilter(), is_trash=True)
    return await _listed(
        Files(transaction, principal.account_id), listing, links, page, per_page, cursor
    )


async def _listed(  # noqa: PLR0917 - what is read, and which part of it
    files: Files,
    listing: Listing,
    links: LinkSigner,
    page: int,
    per_page: int,
    cursor: str | None,
) -> FilesAnswer:
    asked = Page(page=page, per_page=per_page)
    after = service.after_of(None if cursor is None else decode_cursor(cursor), listing)
    part = await service.list_files(
        files, listing, limit=per_page, offset=0 if after else asked.offset, after=after
    )
    total = await files.count(listing)
    return _shown(part, listing, links, asked, total, by_cursor=after is not None)


@router.delete("/trash", status_code=202, responses=PROBLEMS(401, 429))
async def empty_trash(principal: CurrentAccount, transaction: Transaction) -> EmptiedTrash:
    """Empty the trash: nothing of it can be restored any more; the next purge removes the bytes."""
    return EmptiedTrash(files=await Files(transaction, principal.account_id).empty_trash())


@router.post("/files/bulk", responses=PROBLEMS(401, 402, 403, 409, 422, 429))
async def change_many(
    wish: BulkFiles, principal: CurrentAccount, transaction: Transaction, settings: AppSettings
) -> BulkAnswer:
    """Do one thing with up to 1,000 files; each has its own result."""
    outcomes = await service.bulk(
        transaction,
        principal,
        settings,
        [str(each) for each in wish.file_ids],
        wish.action,
        tags=wish.tags,
        category=wish.category,
    )
    return BulkAnswer(
        results=[
            BulkResult.model_validate(
                {
                    "id": each.id,
                    "status": each.status,
                    "problem": None
                    if each.problem is None
                    else BulkProblem(title="Not done", detail=each.problem),
                }
            )
            for each in outcomes
        ]
    )


@router.post("/files/check", responses=PROBLEMS(401, 422, 429))
async def check_contents(
    wanted: CheckFiles, principal: CurrentAccount, transaction: Transaction
) -> CheckAnswer:
    """Say which contents are here already, so that nobody uploads them again."""
    files = Files(transaction, principal.account_id)
    return CheckAnswer(existing=await service.existing(files, wanted.sha256))


@router.get("/files/{file_id}", responses=PROBLEMS(401, 404, 422, 429))
async def get_file(
    file_id: UUID,
    principal: CurrentAccount,
    transaction: Transaction,
    links: Links,
    response: Response,
    *,
    gps: Annotated[bool, Query(description="Where it was taken comes only if asked for.")] = False,
) -> OneFile:
    """Show one file with its facts and a link to its bytes that counts for 15 minutes."""
    file = await service.one_file(Files(transaction, principal.account_id), str(file_id))
    response.headers["ETag"] = service.version_tag(file)
    return OneFile(file=detailed_file(file, links, with_gps=gps))


@router.patch("/files/{file_id}", responses=PROBLEMS(401, 402, 404, 409, 412, 422, 429))
async def change_file(  # noqa: PLR0917 - what FastAPI gives an endpoint
    file_id: UUID,
    wish: ChangeFile,
    principal: CurrentAccount,
    transaction: Transaction,
    settings: AppSettings,
    links: Links,
    response: Response,
    if_match: Annotated[
        str | None,
        Header(description="`ETag` of the file as you read it: 412 if it changed since."),
    ] = None,
) -> OneFile:
    """Change the name, the category or the tags of a file; its bytes and its place stay."""
    file = await service.change(
        transaction,
        principal,
        settings,
        str(file_id),
        service.Wish(
            given=wish.model_fields_set,
            filename=wish.filename,
            category=wish.category,
            tags=wish.tags,
        ),
        if_match=if_match,
    )
    response.headers["ETag"] = service.version_tag(file)
    return OneFile(file=detailed_file(file, links))


@router.delete("/files/{file_id}", status_code=204, responses=PROBLEMS(401, 404, 409, 422, 429))
async def delete_file(file_id: UUID, principal: CurrentAccount, transaction: Transaction) -> None:
    """Put a file into the trash; a second time it is missing."""
    await service.delete(Files(transaction, principal.account_id), principal, str(file_id))


@router.post("/files/{file_id}/restore", responses=PROBLEMS(401, 404, 422, 429))
async def restore_file(
    file_id: UUID, principal: CurrentAccount, transaction: Transaction, links: Links
) -> OneFile:
    """Take a file out of the trash."""
    file = await service.restore(Files(transaction, principal.account_id), str(file_id))
    return OneFile(file=detailed_file(file, links))
