"""Notifications: listed, read, chosen; and what people say of the product."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.notifications import service
from api.notifications.repository import Notices
from api.notifications.schemas import (
    ChoosePreferences,
    FeedbackAnswer,
    FeedbackView,
    GiveFeedback,
    MarkNotification,
    Notifications,
    OneNotification,
    PreferencesAnswer,
    UnreadCount,
    notification_view,
    preferences_view,
)
from api.shell.database import Transaction
from api.shell.moments import after_moment, moment_key
from api.shell.pagination import CursorQuery
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS

router = APIRouter(tags=["notifications"])


@router.get("/notifications", responses=PROBLEMS(401, 422, 429))
async def list_notifications(
    principal: CurrentAccount,
    transaction: Transaction,
    cursor: CursorQuery,
    unread: Annotated[bool, Query(description="Only unread ones.")] = False,
) -> Notifications:
    """List notifications, the newest first."""
    part = await service.newest(
        Notices(transaction, principal.account_id),
        limit=cursor.limit,
        after=after_moment(cursor.after),
        is_unread=unread,
    )
    last = part.notices[-1] if part.has_more else None
    return Notifications(
        notifications=[notification_view(each) for each in part.notices],
        unread_count=part.unread_count,
        pagination=cursor.pagination(
            None if last is None else moment_key(last.created_at, last.id)
        ),
    )


@router.post("/notifications/read-all", responses=PROBLEMS(401, 429))
async def read_all_notifications(
    principal: CurrentAccount, transaction: Transaction
) -> UnreadCount:
    """Mark all notifications as read."""
    notices = Notices(transaction, principal.account_id)
    await notices.mark_all()
    return UnreadCount(unread_count=await notices.unread_count())


@router.get("/notifications/preferences", responses=PROBLEMS(401, 429))
async def get_notification_preferences(
    principal: CurrentAccount, transaction: Transaction
) -> PreferencesAnswer:
    """Say how the account wants to be told of what."""
    notices = Notices(transaction, principal.account_id)
    return preferences_view(await service.preferences(notices))


@router.put("/notifications/preferences", responses=PROBLEMS(401, 422, 429))
async def choose_notification_preferences(
    body: ChoosePreferences, principal: CurrentAccount, transaction: Transaction
) -> PreferencesAnswer:
    """Choose how to be told; topics that are not given stay as they are."""
    notices = Notices(transaction, principal.account_id)
    return preferences_view(await service.prefer(notices, body.chosen()))


@router.patch("/notifications/{notification_id}", responses=PROBLEMS(401, 404, 422, 429))
async def mark_notification(
    notification_id: UUID,
    body: MarkNotification,
    principal: CurrentAccount,
    transaction: Transaction,
) -> OneNotification:
    """Mark a notification as read, or as unread again."""
    notices = Notices(transaction, principal.account_id)
    found = await service.mark(notices, str(notification_id), is_read=body.read)
    return OneNotification(notification=notification_view(found))


@router.post("/feedback", status_code=201, responses=PROBLEMS(401, 422, 429))
async def give_feedback(
    body: GiveFeedback, principal: CurrentAccount, transaction: Transaction
) -> FeedbackAnswer:
    """Say how likely you are to recommend the product, 0 to 10."""
    notices = Notices(transaction, principal.account_id)
    identity, created_at = await notices.say(body.score, body.comment)
    view = FeedbackView(
        id=UUID(identity), score=body.score, comment=body.comment, created_at=created_at
    )
    return FeedbackAnswer(feedback=view)
