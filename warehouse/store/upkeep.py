"""Compaction and retention: fewer files, and nothing kept that nobody will look at."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from models.domain.warehouse_rows import PublishedRun, RunStatus
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.schemas.tables import PUBLISHED_RUNS, TABLES
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake


def compact(lake: Lake, *, now: datetime, keep_days: int, quarantine_days: int) -> dict[str, Any]:
    """Compact all tables and caches, drop old files and old rows in quarantine; what is seen stays.

    Args:
        lake: where the warehouse is.
        now: for the age of what is in quarantine.
        keep_days: age at which files that are in no present version are removed; below one,
            readers and publishers that are at work lose theirs.
        quarantine_days: age at which rows in quarantine are; their markers, with reasons, stay.

    Returns:
        By table with rows: files before and after, files removed, rows dropped.

    Raises:
        BusyError: others commit without end.
    """
    warehouse = Warehouse(lake)
    dropped = _old_quarantine(warehouse, now - timedelta(days=quarantine_days))
    done: dict[str, Any] = {}
    for table in (*TABLES, EMBEDDINGS):
        has_runs = table not in (PUBLISHED_RUNS, EMBEDDINGS)
        rows = warehouse.delete_runs(table, dropped) if has_runs else 0
        compaction = warehouse.compact(table, keep_hours=24 * keep_days)
        if compaction is not None:
            done[table.name] = {**asdict(compaction), "rows_dropped": rows}
    return done


def _old_quarantine(warehouse: Warehouse, before: datetime) -> list[str]:
    dataset = warehouse.dataset(PUBLISHED_RUNS)
    markers = [] if dataset is None else to_rows(dataset.to_table(), PublishedRun)
    return sorted(
        marker.run_id
        for marker in markers
        if marker.status == RunStatus.QUARANTINED and marker.recorded_at < before
    )
