"""Whether the warehouse is whole: what its markers promise is there, and nothing is quarantined."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.domain.errors import FileOrganizerError
from models.domain.warehouse_rows import PublishedRun, RunStatus
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.tables import PUBLISHED_RUNS, TABLES, WarehouseTable
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake


class Grade(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        where: the table, the run or the root.
        what: in words.
    """

    grade: Grade
    where: str
    what: str


def check_up(lake: Lake) -> list[Finding]:
    """Return what is wrong with the tables at rest; empty when all is well."""
    warehouse = Warehouse(lake)
    try:
        markers = _markers(warehouse)
    except (OSError, FileOrganizerError, ValueError) as error:
        return [Finding(grade=Grade.PROBLEM, where=PUBLISHED_RUNS.name, what=str(error))]
    found = [
        Finding(
            grade=Grade.PROBLEM,
            where=f"run {marker.run_id}",
            what=f"in quarantine: {marker.reasons}",
        )
        for marker in markers.values()
        if marker.status == RunStatus.QUARANTINED
    ]
    for table in TABLES:
        if table is not PUBLISHED_RUNS:
            found += _of_table(warehouse, table, markers)
    return found


def _markers(warehouse: Warehouse) -> dict[str, PublishedRun]:
    """Return the markers by run, in the order they were recorded."""
    dataset = warehouse.dataset(PUBLISHED_RUNS)
    rows = [] if dataset is None else to_rows(dataset.to_table(), PublishedRun)
    return {row.run_id: row for row in sorted(rows, key=lambda row: (row.recorded_at, row.run_id))}


def _of_table(
    warehouse: Warehouse, table: WarehouseTable, markers: dict[str, PublishedRun]
) -> Iterator[Finding]:
    """Yield what is wrong with one table: rows that are not those its runs wrote."""
    import duckdb

    try:
        dataset = warehouse.dataset(table)
        at_rest = {} if dataset is None else _rows_by_run(dataset)
    except (OSError, ValueError, FileOrganizerError, duckdb.Error) as error:
        yield Finding(grade=Grade.PROBLEM, where=table.name, what=f"cannot be read: {error}")
        return
    for run_id, marker in markers.items():
        written = int(json.loads(marker.row_counts).get(table.name, 0))
        there = at_rest.pop(run_id, 0)
        if marker.status == RunStatus.PUBLISHED and there != written:
            what = f"{there} rows of run {run_id}, and it wrote {written}"
            yield Finding(grade=Grade.PROBLEM, where=table.name, what=what)
    for run_id, count in at_rest.items():
        what = f"{count} rows of run {run_id}, which is being published or was abandoned"
        yield Finding(grade=Grade.NOTE, where=table.name, what=what)


def _rows_by_run(dataset: Any) -> dict[str, int]:
    import duckdb

    with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
        connection.register("rows", dataset)
        query = "SELECT run_id, count(*) FROM rows GROUP BY run_id ORDER BY run_id"
        return {str(run_id): int(count) for run_id, count in connection.execute(query).fetchall()}
