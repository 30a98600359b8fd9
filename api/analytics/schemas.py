"""What the room of analytics gives, field by field as the specification has it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.analytics.repository import Activity, StoragePoint
from api.analytics.service import Dashboard, Interval
from api.shell.pagination import Pagination
from models.domain.activity import told
from models.domain.insights import Insight
from models.domain.price_list import BYTES_PER_GB

PERCENT = 100


class StorageView(BaseModel):
    """What uploads take, the trash included, in GB of 10^9 bytes."""

    used_gb: float
    quota_gb: float | None = Field(description="Null without a limit.")
    percentage: float | None = Field(description="Null without a limit.")


class FilesView(BaseModel):
    """Files that are not in the trash."""

    total_count: int
    by_category: dict[str, int] = Field(
        description="Images, Videos, Documents, Audio, Others; their sum is `total_count`.",
        examples=[{"Images": 2100, "Videos": 450, "Documents": 1800, "Audio": 0, "Others": 1070}],
    )


class DuplicatesView(BaseModel):
    """As the totals of `GET /duplicates?similarity_threshold=1`."""

    count: int
    space_wasted_gb: float


class ActivityView(BaseModel):
    """One thing that happened."""

    id: UUID
    type: str = Field(examples=["job.ended"])
    text: str = Field(examples=["Organizing is done: 340 files"])
    data: dict[str, Any] = Field(description="Ids and counts.")
    created_at: datetime


class DashboardView(BaseModel):
    """An account at a glance."""

    storage: StorageView
    files: FilesView
    duplicates: DuplicatesView
    recent_activity: list[ActivityView] = Field(description="The newest first, 20 at most.")


class StoragePointView(BaseModel):
    """What an account held at the end of an interval (UTC), and what came and went in it."""

    date: date
    files_count: int
    used_bytes: int
    added_files: int
    added_bytes: int
    removed_files: int


class StorageOverTime(BaseModel):
    """What an account held over time. What was purged since is not in it."""

    interval: Interval
    storage: list[StoragePointView]


class ActivityList(BaseModel):
    """What happened, the newest first."""

    activity: list[ActivityView]
    pagination: Pagination


class InsightView(BaseModel):
    """One sentence worth saying."""

    kind: str = Field(examples=["duplicates"])
    text: str
    figures: dict[str, int | float | str] = Field(description="The numbers of the sentence.")
    link: str = Field(description="Where in the product something can be done about it.")


class Insights(BaseModel):
    """What is worth saying, the most useful first."""

    insights: list[InsightView]


def dashboard_view(found: Dashboard) -> DashboardView:
    """Return a dashboard as the answer shows it."""
    quota, used = found.storage.quota_bytes, found.storage.used_bytes
    return DashboardView(
        storage=StorageView(
            used_gb=used / BYTES_PER_GB,
            quota_gb=None if quota is None else quota / BYTES_PER_GB,
            percentage=_percentage(used, quota),
        ),
        files=FilesView(total_count=sum(found.by_category.values()), by_category=found.by_category),
        duplicates=DuplicatesView(
            count=found.duplicates.duplicates_count,
            space_wasted_gb=found.duplicates.wasted_bytes / BYTES_PER_GB,
        ),
        recent_activity=[activity_view(each) for each in found.recent],
    )


def _percentage(used: int, quota: int | None) -> float | None:
    if quota is None:
        return None
    if quota == 0:
        return 0.0 if used == 0 else float(PERCENT)
    return used / quota * PERCENT


def activity_view(event: Activity) -> ActivityView:
    """Return an event as answers show it."""
    return ActivityView(
        id=UUID(event.id),
        type=event.type,
        text=told(event.type, event.data),
        data=event.data,
        created_at=event.created_at,
    )


def point_view(point: StoragePoint) -> StoragePointView:
    """Return a point of the chart as the answer shows it."""
    return StoragePointView(
        date=point.day.date(),
        files_count=point.files,
        used_bytes=point.bytes,
        added_files=point.added_files,
        added_bytes=point.added_bytes,
        removed_files=point.removed_files,
    )


def insight_view(insight: Insight) -> InsightView:
    """Return an insight as the answer shows it."""
    return InsightView(
        kind=insight.kind, text=insight.text, figures=insight.figures, link=insight.link
    )
