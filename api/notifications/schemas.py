"""What the room of notifications takes and gives."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.shell.pagination import Pagination
from models.domain.notices import Channels, Notice, Topic

COMMENT_CHARACTERS = 5000


class NotificationView(BaseModel):
    """One thing the account is told."""

    id: UUID
    kind: str = Field(examples=["job.completed"])
    title: str = Field(examples=["Organizing is done"])
    body: str
    data: dict[str, Any] = Field(description="Ids and counts to link to, as `job_id`.")
    read_at: datetime | None
    created_at: datetime


class Notifications(BaseModel):
    """A part of the list, the newest first."""

    notifications: list[NotificationView]
    unread_count: int = Field(description="Of all of them; 1000 stands for that or more.")
    pagination: Pagination


class OneNotification(BaseModel):
    """One notification."""

    notification: NotificationView


class MarkNotification(BaseModel):
    """Whether it was read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"read": True}]})

    read: bool


class UnreadCount(BaseModel):
    """How many are unread."""

    unread_count: int


class ChannelsView(BaseModel):
    """How to be told of a topic."""

    model_config = ConfigDict(extra="forbid")

    in_app: bool = True
    email: bool = True


class Preferences(BaseModel):
    """How to be told of every topic."""

    jobs: ChannelsView
    security: ChannelsView
    product: ChannelsView


class PreferencesAnswer(BaseModel):
    """How the account wants to be told."""

    preferences: Preferences


class ChoosePreferences(BaseModel):
    """Topics to change; the others stay as they are."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"jobs": {"in_app": True, "email": False}}]},
    )

    jobs: ChannelsView | None = None
    security: ChannelsView | None = None
    product: ChannelsView | None = None

    def chosen(self) -> dict[Topic, Channels]:
        """Return the topics that are given."""
        given = {topic: getattr(self, topic.value) for topic in Topic}
        return {
            topic: Channels(in_app=view.in_app, email=view.email)
            for topic, view in given.items()
            if view is not None
        }


class GiveFeedback(BaseModel):
    """How likely one is to recommend the product, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"score": 9, "comment": "It found my passport."}]},
    )

    score: int = Field(ge=0, le=10, strict=True)
    comment: str = Field(default="", max_length=COMMENT_CHARACTERS)


class FeedbackView(BaseModel):
    """Feedback as it was stored."""

    id: UUID
    score: int
    comment: str
    created_at: datetime


class FeedbackAnswer(BaseModel):
    """Feedback that was taken."""

    feedback: FeedbackView


def notification_view(notice: Notice) -> NotificationView:
    """Return a notice as answers show it."""
    return NotificationView(
        id=UUID(notice.id),
        kind=notice.kind,
        title=notice.title,
        body=notice.body,
        data=dict(notice.data),
        read_at=notice.read_at,
        created_at=notice.created_at,
    )


def preferences_view(channels: dict[Topic, Channels]) -> PreferencesAnswer:
    """Return preferences as answers show them."""
    views = {
        topic.value: ChannelsView(in_app=each.in_app, email=each.email)
        for topic, each in channels.items()
    }
    return PreferencesAnswer(preferences=Preferences(**views))
