"""Caches of what is made of contents: rows by content hash, appended once, read by hash.

They lie beside the warehouse's tables as Delta tables of their own: any number of jobs append at
once without losing each other's rows. Two jobs may make one row twice; readers take either.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.schemas.tables import WarehouseTable
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake


def rows_among(contents: pa.Table, hashes: Collection[str], *, are_wanted: bool = True) -> pa.Table:
    """Return the rows of contents that are among some, or are not, in the same order.

    Args:
        contents: (n,) rows with `sha256`.
        hashes: some contents.
        are_wanted: whether they stay, or the others do.
    """
    import pyarrow.compute as pc

    is_among = pc.is_in(contents["sha256"], value_set=pa.array(sorted(hashes), pa.string()))
    return contents.filter(is_among if are_wanted else pc.invert(is_among))


class ContentRows:
    """The rows of one cache.

    Attributes:
        table: which cache.
    """

    def __init__(self, lake: Lake, table: WarehouseTable) -> None:
        self._warehouse = Warehouse(lake)
        self.table = table

    def of(self, hashes: Iterable[str], **same: Any) -> dict[str, Any]:
        """Return the rows at rest of some contents, by hash.

        Args:
            hashes: which contents.
            same: values of other columns that the rows must have (`model_id`, `version`).
        """
        import pyarrow.compute as pc

        wanted = sorted(set(hashes))
        dataset = self._warehouse.dataset(self.table) if wanted else None
        if dataset is None:
            return {}
        condition = pc.field("sha256").isin(pa.array(wanted, pa.string()))
        for name, value in same.items():
            condition &= pc.field(name) == value
        rows = to_rows(dataset.to_table(filter=condition), self.table.row)
        return {row.sha256: row for row in rows}

    def hashes(self, **same: Any) -> set[str]:
        """Return the contents that have a row, without reading the rows.

        Args:
            same: values of other columns that the rows must have (`model_id`, `version`).
        """
        import pyarrow.compute as pc

        dataset = self._warehouse.dataset(self.table)
        if dataset is None:
            return set()
        condition = pc.scalar(value=True)
        for name, value in same.items():
            condition &= pc.field(name) == value
        return set(dataset.to_table(columns=["sha256"], filter=condition)["sha256"].to_pylist())

    def batches(self, **same: Any) -> Iterator[pa.RecordBatch]:
        """Yield all rows, some at a time, so that memory stays bounded.

        Args:
            same: values of other columns that the rows must have (`model_id`, `version`).
        """
        import pyarrow.compute as pc

        dataset = self._warehouse.dataset(self.table)
        if dataset is None:
            return
        condition = pc.scalar(value=True)
        for name, value in same.items():
            condition &= pc.field(name) == value
        yield from dataset.to_batches(filter=condition)

    def add(self, rows: Mapping[str, Any], *, made_by: str) -> None:
        """Append rows; repeating it under the same name changes nothing.

        Args:
            rows: by hash, so that each is there once.
            made_by: who appends, for example the job and its batch.

        Raises:
            BusyError: others commit without end.
            BrokenError: the lake cannot be written.
        """
        if not rows:
            return
        ordered = [rows[key] for key in sorted(rows)]
        table = to_table(ordered, self.table.row).cast(arrow_schema(self.table.row))
        self._warehouse.append_once(self.table, table, run_id=made_by)
