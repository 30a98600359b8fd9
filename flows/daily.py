"""Daily: leave what accounts used, paid and did in the warehouse, for the KPIs."""

from typing import Any

from prefect import flow

from tasks.lifecycle.task import report_counts
from tasks.publish.upkeep_task import record_days


@flow(name="daily")
def daily(day: str | None = None) -> dict[str, Any]:
    """Record the days of the last week that nobody recorded yet, or one day.

    Args:
        day: `YYYY-MM-DD`, in UTC; it must be over.

    Returns:
        Rows published, by day.
    """
    recorded = record_days(day)
    report_counts("daily", recorded, by="day")
    return recorded
