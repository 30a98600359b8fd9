"""Compact: fewer and bigger files in the warehouse, and nothing kept that nobody reads."""

from typing import Any

from prefect import flow

from tasks.lifecycle.task import report_counts
from tasks.publish.upkeep_task import compact_warehouse


@flow(name="compact")
def compact() -> dict[str, Any]:
    """Compact the warehouse's tables; what readers see stays as it is.

    Returns:
        Files before and after, files removed and rows dropped, by table.
    """
    done = compact_warehouse()
    report_counts("compact", done, by="table")
    return done
