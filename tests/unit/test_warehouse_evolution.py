"""Tables that were made by an older release take rows with newer columns."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.domain.columns import column
from models.domain.warehouse_rows import RunRow
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.schemas.tables import WarehouseTable
from warehouse.store.delta import Warehouse
from warehouse.store.parts import open_lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Before(RunRow):
    """A row as it was."""

    key: str = column("Path.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Now(Before):
    """The same row with one column more."""

    alternatives: str | None = column("New.", default=None)


def test_a_new_column_is_null_in_old_rows_and_kept_in_new_ones(tmp_path: Path):
    warehouse = Warehouse(open_lake(str(tmp_path)))
    old = WarehouseTable(name="t", row=Before, identity=("key",))
    new = WarehouseTable(name="t", row=Now, identity=("key",))
    run = {"recorded_at": datetime(2026, 1, 1, tzinfo=UTC), "month": "2026-01"}
    first = to_table([Before(run_id="1", key="a", **run)], Before)
    second = to_table([Now(run_id="2", key="b", alternatives="x", **run)], Now)
    assert warehouse.append_once(old, first, run_id="1") == 1
    dataset = warehouse.dataset(new)
    assert dataset is not None
    assert [row.alternatives for row in to_rows(dataset.to_table(), Now)] == [None]
    assert warehouse.append_once(new, second, run_id="2") == 1
    assert warehouse.append_once(new, second, run_id="2") == 0
    dataset = warehouse.dataset(new)
    assert dataset is not None
    found = {row.key: row.alternatives for row in to_rows(dataset.to_table(), Now)}
    assert found == {"a": None, "b": "x"}
