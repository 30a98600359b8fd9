"""Search over everything an account has."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.search import service
from api.search.embedding import QueryVector, query_vector
from api.search.repository import Index
from api.search.schemas import SearchResults, result_view
from api.search.service import Mode
from api.shell.database import Transaction
from api.shell.pagination import PageQuery
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from api.shell.signed_links import Links
from api.shell.storage import AppSettings
from models.domain.search import SearchScope

router = APIRouter(tags=["search"])


@router.get("/search", responses=PROBLEMS(401, 403, 422, 429))
async def search_files(
    principal: CurrentAccount,
    transaction: Transaction,
    settings: AppSettings,
    links: Links,
    page: PageQuery,
    *,
    q: Annotated[
        str, Query(min_length=1, max_length=500, description="Words.", examples=["boarding pass"])
    ],
    media_type: Annotated[
        str | None,
        Query(
            alias="type",
            max_length=100,
            description="`image`, `application/pdf`, or an extension with its dot.",
        ),
    ] = None,
    category: Annotated[str | None, Query(max_length=100, description="Fine or coarse.")] = None,
    tags: Annotated[list[str], Query(max_length=50, description="All of them.")] = [],  # noqa: B006 - FastAPI copies defaults
    first: Annotated[date | None, Query(alias="from", description="First day, UTC.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, UTC.")] = None,
    mode: Annotated[
        Mode, Query(description="`semantic`: by meaning, too, where the plan has it.")
    ] = Mode.TEXT,
) -> SearchResults:
    """Find files by their names, tags and what they say; by what they mean, too.

    Where nobody compares meanings now, the answer is by words, and `note` says so.
    """
    scope = SearchScope(
        account_id=principal.account_id,
        category=category or None,
        tags=tuple(tags),
        media_type=media_type or None,
        since=None if first is None else datetime.combine(first, time(tzinfo=UTC)),
        until=_after(last),
    )

    async def embed(query: str) -> QueryVector:
        return await query_vector(settings, query)

    answer = await service.search(
        Index(transaction, scope),
        principal,
        q,
        mode,
        embed=embed,
        limit=page.per_page,
        offset=page.offset,
    )
    return SearchResults(
        results=[result_view(each, links) for each in answer.found],
        mode=answer.mode,
        note=answer.note,
        pagination=page.pagination(answer.total),
    )


def _after(last: date | None) -> datetime | None:
    """Return the first moment after a day; None without one, and after the last day there is."""
    if last is None or last == date.max:
        return None
    return datetime.combine(last + timedelta(days=1), time(tzinfo=UTC))
