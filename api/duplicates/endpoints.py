"""Duplicates: listed, looked at, removed to the trash, kept, hidden."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.duplicates import service
from api.duplicates.repository import Duplicates, Group, GroupFilter
from api.duplicates.schemas import (
    DeletedDuplicates,
    DeleteDuplicates,
    DuplicateGroup,
    DuplicateGroups,
    OneDuplicateGroup,
    RemovalJob,
    ResolveDuplicates,
    ScanAnswer,
    ScanDuplicates,
    ScanJob,
    SimilarFile,
    SkippedFile,
)
from api.duplicates.service import Deleted
from api.shell.database import Transaction, account_transaction, engine_of
from api.shell.file_shapes import listed_file
from api.shell.pagination import PageQuery
from api.shell.principal import BriefAccount, CurrentAccount, Principal
from api.shell.problems import PROBLEMS
from api.shell.signed_links import Links, LinkSigner
from api.shell.storage import AppSettings, account_root_url
from models.domain.price_list import BYTES_PER_GB

BYTES_PER_MB = 1_000_000
LARGEST_MB = 1e9
"""A petabyte: larger than any file, and small enough for the database's numbers."""

router = APIRouter(prefix="/duplicates", tags=["duplicates"])

GroupId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{64}$",
        description="`hash` of a group, or SHA-256 of one of its files.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
Threshold = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Smallest similarity; 1 is equal bytes, below wants a plan that has it. "
        "Without: 0.9 where the plan has it, else 1.",
    ),
]


@router.get("", responses=PROBLEMS(401, 403, 422, 429))
async def list_duplicates(
    principal: CurrentAccount,
    transaction: Transaction,
    page: PageQuery,
    links: Links,
    *,
    category: Annotated[
        str | None, Query(max_length=100, description="Of one of the files; fine or coarse.")
    ] = None,
    min_size_mb: Annotated[
        float,
        Query(ge=0, le=LARGEST_MB, allow_inf_nan=False, description="MB of 10^6 bytes."),
    ] = 0,
    similarity_threshold: Threshold = None,
) -> DuplicateGroups:
    """List groups of duplicates, the most wasteful first."""
    wanted = GroupFilter(
        threshold=service.threshold_for(principal, similarity_threshold),
        min_bytes=round(min_size_mb * BYTES_PER_MB),
        category=category or None,
    )
    duplicates = Duplicates(transaction, principal.account_id)
    found = await service.list_groups(duplicates, wanted, limit=page.per_page, offset=page.offset)
    return DuplicateGroups(
        duplicate_groups=[_view(group, links) for group in found.groups],
        total_duplicates=found.duplicates_count,
        total_space_wasted_gb=found.wasted_bytes / BYTES_PER_GB,
        pagination=page.pagination(found.groups_count),
    )


@router.post("/scan", status_code=202, responses=PROBLEMS(401, 403, 404, 422, 429))
async def scan_for_duplicates(
    body: ScanDuplicates,
    principal: CurrentAccount,
    transaction: Transaction,
    settings: AppSettings,
    response: Response,
) -> ScanAnswer:
    """Look for duplicates again, as a job."""
    job = await service.scan(
        Duplicates(transaction, principal.account_id),
        principal,
        source_path=body.source_path,
        near=body.near,
        managed_url=account_root_url(settings, principal.account_id),
    )
    response.headers["Location"] = f"/v1/organize/jobs/{job.id}"
    return ScanAnswer(job=ScanJob(id=UUID(job.id), status=job.status, created_at=job.created_at))


@router.post("/delete", responses=PROBLEMS(401, 403, 422, 429, 503))
async def delete_duplicates(
    body: DeleteDuplicates, principal: BriefAccount, settings: AppSettings, request: Request
) -> DeletedDuplicates:
    """Put duplicates into the trash, each because another file of the same bytes stays.

    Files in connected folders go by a job, which reads both again; the answer waits for it some
    seconds. What is not yours, not there or not provable stays and is listed in `skipped`.
    """
    done = await service.delete(
        _transactions(request, principal),
        principal,
        [str(each) for each in body.file_ids],
        keep_original=body.keep_original,
        s3_endpoint_url=settings.s3_endpoint_url,
    )
    return _deleted(done)


@router.get("/{group_id}", responses=PROBLEMS(401, 403, 404, 422, 429))
async def get_duplicate_group(
    group_id: GroupId,
    principal: CurrentAccount,
    transaction: Transaction,
    links: Links,
    similarity_threshold: Threshold = None,
) -> OneDuplicateGroup:
    """Get the group that a content is in; hidden ones too."""
    threshold = service.threshold_for(principal, similarity_threshold)
    duplicates = Duplicates(transaction, principal.account_id)
    group = await service.one_group(duplicates, group_id, threshold)
    return OneDuplicateGroup(duplicate_group=_view(group, links))


@router.post("/{group_id}/resolve", responses=PROBLEMS(401, 403, 404, 422, 429, 503))
async def resolve_duplicate_group(
    group_id: GroupId,
    body: ResolveDuplicates,
    principal: BriefAccount,
    settings: AppSettings,
    request: Request,
) -> DeletedDuplicates:
    """Keep some files of a group for good and put the others into the trash.

    This is how lookalikes go: their bytes are nobody else's, so somebody has to say it. The
    decision to keep belongs to the content: it survives renames and holds in later runs.
    """
    done = await service.resolve(
        _transactions(request, principal),
        principal,
        group_id,
        [str(each) for each in body.keep],
        action=body.action,
        s3_endpoint_url=settings.s3_endpoint_url,
    )
    return _deleted(done)


@router.post("/{group_id}/ignore", status_code=204, responses=PROBLEMS(401, 404, 422, 429))
async def ignore_duplicate_group(
    group_id: GroupId, principal: CurrentAccount, transaction: Transaction
) -> None:
    """Hide a group: its lookalikes are none, its equal files are not listed any more."""
    await service.ignore(Duplicates(transaction, principal.account_id), principal, group_id)


@router.delete("/{group_id}/ignore", status_code=204, responses=PROBLEMS(401, 404, 422, 429))
async def show_duplicate_group(
    group_id: GroupId, principal: CurrentAccount, transaction: Transaction
) -> None:
    """List the equal files of a content again."""
    await service.show_again(Duplicates(transaction, principal.account_id), group_id)


def _transactions(request: Request, principal: Principal) -> service.Transactions:
    """Transactions of the endpoint's own: a job is only started once its row is committed."""
    engine = engine_of(request)

    def opened() -> AbstractAsyncContextManager[AsyncConnection]:
        return account_transaction(engine, principal.account_id)

    return opened


def _view(group: Group, links: LinkSigner) -> DuplicateGroup:
    original, *others = group.members
    return DuplicateGroup(
        hash=group.hash,
        original_file=listed_file(original.file, links),
        duplicates=[
            SimilarFile(file=listed_file(each.file, links), similarity=each.similarity)
            for each in others
        ],
        space_wasted_bytes=group.wasted_bytes,
    )


def _deleted(done: Deleted) -> DeletedDuplicates:
    return DeletedDuplicates(
        deleted_count=done.deleted_count,
        space_freed_bytes=done.space_freed_bytes,
        skipped=[
            SkippedFile(file_id=UUID(file_id), reason=reason)
            for file_id, reason in done.skipped.items()
        ],
        jobs=[RemovalJob(id=UUID(each.id), status=each.status) for each in done.jobs],
    )
