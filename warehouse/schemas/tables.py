"""The tables of the warehouse: which row each holds, what identifies a row, what must be true."""

from dataclasses import dataclass

from models.domain.warehouse_daily import (
    DAILY,
    FactDay,
    FactJobEnd,
    FactSubscription,
    FactUsageDaily,
)
from models.domain.warehouse_rows import (
    DimFile,
    FactCategory,
    FactDuplicate,
    FactEvent,
    FactJob,
    FactOperation,
    PublishedRun,
)

PARTITION = "month"
"""Partition column of every data table (DESIGN 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseTable:
    """One Delta table.

    Attributes:
        name: folder below `<lake>/warehouse/`, and the view analysts query.
        row: dataclass of its rows.
        identity: columns that no two rows share.
        has_partitions: whether it is partitioned by month.
    """

    name: str
    row: type
    identity: tuple[str, ...]
    has_partitions: bool = True


DATA_TABLES: tuple[WarehouseTable, ...] = (
    WarehouseTable(name="dim_file", row=DimFile, identity=("run_id", "root_id", "key")),
    WarehouseTable(name="fact_job", row=FactJob, identity=("run_id",)),
    WarehouseTable(name="fact_operation", row=FactOperation, identity=("run_id", "seq")),
    WarehouseTable(
        name="fact_duplicate", row=FactDuplicate, identity=("run_id", "root_id", "group_id", "key")
    ),
    WarehouseTable(name="fact_category", row=FactCategory, identity=("run_id", "root_id", "key")),
    WarehouseTable(name="fact_event", row=FactEvent, identity=("run_id", "seq")),
)
"""Tables the run of a job writes, in the order in which it appends to them."""

DAILY_TABLES: tuple[WarehouseTable, ...] = (
    WarehouseTable(name="fact_day", row=FactDay, identity=("day",)),
    WarehouseTable(name="fact_usage_daily", row=FactUsageDaily, identity=("day", "account_id")),
    WarehouseTable(
        name="fact_subscription", row=FactSubscription, identity=("day", "subscription_id")
    ),
    WarehouseTable(name="fact_job_end", row=FactJobEnd, identity=("day", "job_id")),
)
"""Tables the run of a day writes; `fact_day` has one row of each."""


def tables_of(kind: str) -> tuple[WarehouseTable, ...]:
    """Return the tables that a run of this kind writes."""
    return DAILY_TABLES if kind == DAILY else DATA_TABLES


PUBLISHED_RUNS = WarehouseTable(
    name="published_runs", row=PublishedRun, identity=("run_id",), has_partitions=False
)
"""The commit marker, written last."""

TABLES: tuple[WarehouseTable, ...] = (*DATA_TABLES, *DAILY_TABLES, PUBLISHED_RUNS)

BY_NAME: dict[str, WarehouseTable] = {table.name: table for table in TABLES}
