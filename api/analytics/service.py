"""What the room of analytics tells."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from api.analytics.repository import Activity, Figures, Storage, StoragePoint
from api.shell.events import DuplicateTotals
from api.shell.principal import Principal
from models.domain.activity import EventType
from models.domain.entitlements import Feature
from models.domain.errors import InvalidError
from models.domain.insights import Insight, insights
from models.domain.taxonomy import COARSE_NAMES

RECENT = 20
"""Events of a dashboard at most, as the specification has it."""
POINTS_MOST = 400
"""Points of a chart at most: a year of days."""
USUAL_DAYS = 30
FIRST_DAY = date(2000, 1, 1)


class Interval(StrEnum):
    """Steps of a chart."""

    DAY = "day"
    WEEK = "week"

    @property
    def step(self) -> timedelta:
        """How long one is."""
        return timedelta(days=1 if self is Interval.DAY else 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The figures of a dashboard."""

    storage: Storage
    by_category: dict[str, int]
    duplicates: DuplicateTotals
    recent: list[Activity]


async def dashboard(figures: Figures) -> Dashboard:
    """Return the figures of a dashboard; every coarse category is there, 0 where it has none."""
    counted = await figures.by_category()
    names = dict.fromkeys([*COARSE_NAMES, *counted])
    return Dashboard(
        storage=await figures.storage(),
        by_category={name: counted.get(name, (0, 0))[0] for name in names},
        duplicates=await figures.duplicates(),
        recent=await figures.activity([*EventType], limit=RECENT),
    )


async def storage_points(
    figures: Figures, interval: Interval, first: date | None, last: date | None
) -> list[StoragePoint]:
    """Return what was held over time; the last 30 intervals unless said.

    Raises:
        InvalidError: the end comes before the beginning or in the future; too many points.
    """
    today = datetime.now(UTC).date()
    end = last or today
    if end > today:
        raise InvalidError("`to` is in the future")
    begin = first or end - (USUAL_DAYS - 1) * interval.step
    if begin > end:
        raise InvalidError("`from` is after `to`")
    if begin < FIRST_DAY or (end - begin) / interval.step >= POINTS_MOST:
        raise InvalidError(f"at most {POINTS_MOST} intervals, from {FIRST_DAY} on")
    midnight = time(tzinfo=UTC)
    return await figures.storage_points(
        datetime.combine(begin, midnight), datetime.combine(end, midnight), interval.step
    )


async def activity(
    figures: Figures,
    types: Collection[EventType],
    *,
    limit: int,
    after: tuple[datetime, str] | None,
) -> tuple[list[Activity], bool]:
    """Return what happened, the newest first, and whether there is more."""
    found = await figures.activity(types or [*EventType], limit=limit + 1, after=after)
    return found[:limit], len(found) > limit


async def advice(figures: Figures, principal: Principal) -> list[Insight]:
    """Return what is worth saying of what the account holds."""
    has_near = principal.has(Feature.FUZZY_DUPLICATES)
    return insights(await figures.holdings(with_near=has_near))
