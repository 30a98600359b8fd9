"""What the room of notifications does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.notifications.repository import Notices
from models.domain.errors import InvalidError, MissingError
from models.domain.notices import Channels, Notice, Topic, completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the list; `has_more` says whether another one follows."""

    notices: list[Notice]
    has_more: bool
    unread_count: int


async def newest(
    notices: Notices, *, limit: int, after: tuple[datetime, str] | None, is_unread: bool
) -> Part:
    """Return a part of the list, the newest first."""
    found = await notices.newest(limit=limit + 1, after=after, is_unread=is_unread)
    return Part(
        notices=found[:limit],
        has_more=len(found) > limit,
        unread_count=await notices.unread_count(),
    )


async def mark(notices: Notices, notice_id: str, *, is_read: bool) -> Notice:
    """Mark one as read or unread.

    Raises:
        MissingError: there is no such notice of this account.
    """
    found = await notices.mark(notice_id, is_read=is_read)
    if found is None:
        raise MissingError("there is no such notification")
    return found


async def preferences(notices: Notices) -> dict[Topic, Channels]:
    """Return how the account wants to be told of everything."""
    return completed(await notices.preferences())


async def prefer(notices: Notices, chosen: Mapping[Topic, Channels]) -> dict[Topic, Channels]:
    """Store how the account wants to be told, and return it whole.

    Raises:
        InvalidError: security by no channel at all: one would not hear of a stranger's sign-in.
    """
    security = chosen.get(Topic.SECURITY)
    if security is not None and not (security.in_app or security.email):
        raise InvalidError("news of security need at least one channel")
    await notices.prefer(chosen)
    return await preferences(notices)
