"""Lists in parts: by page as the specification has it, by cursor where lists are long."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from models.domain.errors import InvalidError

PER_PAGE = 50
PER_PAGE_MOST = 200
PAGE_MOST = 100_000
"""Pages beyond cost the server more than a cursor would; `cursor` goes on without end."""


class Pagination(BaseModel):
    """Where in a list this part is."""

    page: int | None = Field(description="Of a list by page; from 1.")
    per_page: int = Field(description="At most so many in a part.")
    total: int | None = Field(description="How many there are in all; null where not counted.")
    pages: int | None = Field(description="How many pages they make.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next part.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which page is asked for."""

    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.page - 1) * self.per_page

    def pagination(self, total: int, *, next_cursor: str | None = None) -> Pagination:
        """Describe this page of `total` things."""
        return Pagination(
            page=self.page,
            per_page=self.per_page,
            total=total,
            pages=-(-total // self.per_page),
            next_cursor=next_cursor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Which part is asked for: the one after a place.

    Attributes:
        after: sort key of the last thing seen, as `encode_cursor` got it; None at the beginning.
    """

    after: tuple[Any, ...] | None
    limit: int

    def pagination(self, last: Sequence[Any] | None, *, total: int | None = None) -> Pagination:
        """Describe this part; `last` is the sort key of its last thing if more follow."""
        return Pagination(
            page=None,
            per_page=self.limit,
            total=total,
            pages=None,
            next_cursor=None if last is None else encode_cursor(last),
        )


def encode_cursor(key: Sequence[Any]) -> str:
    """Return an opaque text for a sort key of texts and numbers."""
    raw = json.dumps(list(key), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[Any, ...]:
    """Return the sort key of a cursor; its parts are whatever the caller sent.

    Raises:
        InvalidError: it is no cursor of ours.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidError("this cursor was not given by us") from error
    if not isinstance(found, list) or not all(
        isinstance(part, str | int | float) for part in found
    ):
        raise InvalidError("this cursor was not given by us")
    return tuple(found)


async def _page(
    page: Annotated[int, Query(ge=1, le=PAGE_MOST, description="Which page, from 1.")] = 1,
    per_page: Annotated[int, Query(ge=1, le=PER_PAGE_MOST, description="How many.")] = PER_PAGE,
) -> Page:
    return Page(page=page, per_page=per_page)


async def _cursor(
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor`.")] = None,
    limit: Annotated[int, Query(ge=1, le=PER_PAGE_MOST, description="How many.")] = PER_PAGE,
) -> Cursor:
    return Cursor(after=None if cursor is None else decode_cursor(cursor), limit=limit)


PageQuery = Annotated[Page, Depends(_page)]
"""`page` and `per_page` of the query."""

CursorQuery = Annotated[Cursor, Depends(_cursor)]
"""`cursor` and `limit` of the query."""
