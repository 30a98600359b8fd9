"""Tags: listed, made, renamed, colored, merged, deleted."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.shell.database import Transaction
from api.shell.pagination import PAGE_MOST, PER_PAGE, PER_PAGE_MOST, Page
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from api.tags import service
from api.tags.repository import AccountTags, Tag
from api.tags.schemas import ChangeTag, MergeTag, NewTag, OneTag, TagDocument, Tags
from models.domain.uploads import TAG_CHARACTERS

router = APIRouter(tags=["tags"])


class TagSort(StrEnum):
    """By what tags are listed."""

    NAME = "tag_name"
    USE = "usage_count"


def _document(tag: Tag) -> TagDocument:
    return TagDocument.model_validate(tag, from_attributes=True)


@router.get("/tags", responses=PROBLEMS(401, 422, 429))
async def list_tags(
    principal: CurrentAccount,
    transaction: Transaction,
    *,
    q: Annotated[
        str, Query(max_length=TAG_CHARACTERS, description="What names begin with, in any case.")
    ] = "",
    sort_by: Annotated[
        TagSort, Query(description="`usage_count`: the most used first.")
    ] = TagSort.NAME,
    page: Annotated[int, Query(ge=1, le=PAGE_MOST, description="Which page, from 1.")] = 1,
    per_page: Annotated[int, Query(ge=1, le=PER_PAGE_MOST, description="How many.")] = PER_PAGE,
) -> Tags:
    """List the tags of the account."""
    asked = Page(page=page, per_page=per_page)
    found, total = await AccountTags(transaction, principal.account_id).page(
        beginning=q.strip(), by_use=sort_by is TagSort.USE, limit=per_page, offset=asked.offset
    )
    return Tags(tags=[_document(each) for each in found], pagination=asked.pagination(total))


@router.post("/tags", status_code=201, responses=PROBLEMS(401, 402, 403, 409, 422, 429))
async def make_tag(
    wish: NewTag, principal: CurrentAccount, transaction: Transaction, response: Response
) -> OneTag:
    """Make a tag; files that are given a new one make it, too."""
    tag = await service.make(
        AccountTags(transaction, principal.account_id), principal, wish.tag_name, wish.tag_color
    )
    response.headers["Location"] = f"/v1/tags/{tag.id}"
    return OneTag(tag=_document(tag))


@router.get("/tags/{tag_id}", responses=PROBLEMS(401, 404, 422, 429))
async def get_tag(tag_id: UUID, principal: CurrentAccount, transaction: Transaction) -> OneTag:
    """Show one tag."""
    tags = AccountTags(transaction, principal.account_id)
    return OneTag(tag=_document(await service.one(tags, tag_id=str(tag_id))))


@router.patch("/tags/{tag_id}", responses=PROBLEMS(401, 403, 404, 409, 422, 429))
async def change_tag(
    tag_id: UUID, wish: ChangeTag, principal: CurrentAccount, transaction: Transaction
) -> OneTag:
    """Rename a tag on every file that carries it, or color it."""
    tag = await service.change(
        AccountTags(transaction, principal.account_id),
        principal,
        str(tag_id),
        name=wish.tag_name,
        color=wish.tag_color,
    )
    return OneTag(tag=_document(tag))


@router.post("/tags/{tag_id}/merge", responses=PROBLEMS(401, 403, 404, 422, 429))
async def merge_tag(
    tag_id: UUID, wish: MergeTag, principal: CurrentAccount, transaction: Transaction
) -> OneTag:
    """Let all files of this tag carry the named one instead; this one is gone."""
    tag = await service.merge(
        AccountTags(transaction, principal.account_id),
        principal,
        str(tag_id),
        into=wish.tag_name,
        color=wish.tag_color,
    )
    return OneTag(tag=_document(tag))


@router.delete("/tags/{tag_id}", status_code=204, responses=PROBLEMS(401, 404, 422, 429))
async def delete_tag(tag_id: UUID, principal: CurrentAccount, transaction: Transaction) -> None:
    """Take a tag off all files; the files stay."""
    await service.delete(AccountTags(transaction, principal.account_id), str(tag_id))
