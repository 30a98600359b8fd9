"""Prefect edge of the warehouse's upkeep: recording days, and compaction."""

from datetime import UTC, datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.errors import BrokenError
from models.domain.warehouse_daily import Day
from models.domain.warehouse_rows import RunStatus
from models.settings import Settings
from tasks.ledger.ledger import open_ledger
from tasks.publish.daily import days_to_record, record_day
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.store import upkeep
from warehouse.store.parts import open_lake


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def record_days(day: str | None) -> dict[str, Any]:
    """Record one day, or each of the last week that nobody recorded; again changes nothing.

    Args:
        day: `YYYY-MM-DD`, in UTC.

    Returns:
        Rows published, by day.

    Raises:
        InvalidError: the day is not over, or is none.
        BrokenError: a day broke an expectation and is in quarantine.
    """
    settings, now = Settings(), datetime.now(UTC)
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    days = days_to_record(lake, now=now) if day is None else [Day.named(day)]
    recorded: dict[str, Any] = {}
    with open_ledger(settings) as ledger:
        for each in days:
            marker = record_day(lake, ledger, each, now=now)
            if marker.status != RunStatus.PUBLISHED:
                raise BrokenError(f"the day {each.name} is in quarantine: {marker.reasons}")
            recorded[each.name] = {"rows_published": marker.rows_count}
    return recorded


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def compact_warehouse() -> dict[str, Any]:
    """Compact all tables and drop what nobody reads; what readers see stays as it is.

    Returns:
        Files before and after, files removed and rows dropped, by table.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    return upkeep.compact(
        lake,
        now=datetime.now(UTC),
        keep_days=settings.warehouse_keep_days,
        quarantine_days=settings.quarantine_days,
    )
