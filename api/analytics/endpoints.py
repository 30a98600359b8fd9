"""Analytics: the dashboard, storage over time, what happened, what is worth doing."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from api.analytics import service
from api.analytics.repository import Figures
from api.analytics.schemas import (
    ActivityList,
    DashboardView,
    Insights,
    StorageOverTime,
    activity_view,
    dashboard_view,
    insight_view,
    point_view,
)
from api.analytics.service import Interval
from api.shell.database import Transaction
from api.shell.moments import after_moment, moment_key
from api.shell.pagination import CursorQuery
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from models.domain.activity import EventType

router = APIRouter(prefix="/analytics", tags=["analytics"])


@router.get("/dashboard", responses=PROBLEMS(401, 429))
async def get_dashboard(principal: CurrentAccount, transaction: Transaction) -> DashboardView:
    """Show the account at a glance."""
    return dashboard_view(await service.dashboard(Figures(transaction, principal.account_id)))


@router.get("/storage", responses=PROBLEMS(401, 422, 429))
async def get_storage_over_time(
    principal: CurrentAccount,
    transaction: Transaction,
    *,
    interval: Annotated[Interval, Query(description="One point a day or a week.")] = Interval.DAY,
    first: Annotated[date | None, Query(alias="from", description="First day, UTC.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day; today.")] = None,
) -> StorageOverTime:
    """Show what the account held over time, connected folders included."""
    figures = Figures(transaction, principal.account_id)
    points = await service.storage_points(figures, interval, first, last)
    return StorageOverTime(interval=interval, storage=[point_view(each) for each in points])


@router.get("/activity", responses=PROBLEMS(401, 422, 429))
async def get_activity(
    principal: CurrentAccount,
    transaction: Transaction,
    cursor: CursorQuery,
    event_type: Annotated[
        list[EventType], Query(alias="type", max_length=10, description="Only these; all.")
    ] = [],  # noqa: B006 - FastAPI copies defaults
) -> ActivityList:
    """Show what happened, the newest first."""
    found, has_more = await service.activity(
        Figures(transaction, principal.account_id),
        event_type,
        limit=cursor.limit,
        after=after_moment(cursor.after),
    )
    last = moment_key(found[-1].created_at, found[-1].id) if has_more else None
    return ActivityList(
        activity=[activity_view(each) for each in found], pagination=cursor.pagination(last)
    )


@router.get("/insights", responses=PROBLEMS(401, 429))
async def get_insights(principal: CurrentAccount, transaction: Transaction) -> Insights:
    """Say what is worth doing, with the figures behind it."""
    found = await service.advice(Figures(transaction, principal.account_id), principal)
    return Insights(insights=[insight_view(each) for each in found])
