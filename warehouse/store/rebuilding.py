"""A warehouse made anew from its runs' records, compared with the old one, and put in place."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.domain.errors import BrokenError, CorruptError
from models.domain.warehouse_rows import PublishedRun
from warehouse.schemas.arrow import to_table
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.schemas.tables import PUBLISHED_RUNS
from warehouse.store.delta import FOLDER, POINTER, Warehouse
from warehouse.store.parts import Lake
from warehouse.store.publishing import append_run, find_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A warehouse that was made anew.

    Attributes:
        folder: where it lies below the lake.
        runs: how many runs were published into it.
        rows: rows that readers see, by table.
        differences: rows that only one of the two warehouses shows, by table; None where the old
            one cannot be read.
        carried: rows of caches that it took over from the old one; None where that failed.
    """

    folder: str
    runs: int
    rows: Mapping[str, int]
    differences: Mapping[str, int | None]
    carried: Mapping[str, int | None]

    @property
    def is_equal(self) -> bool:
        """Whether both show the same rows, each as often, and no cache would be lost."""
        is_same = all(count == 0 for count in self.differences.values())
        return is_same and None not in self.carried.values()


def rebuild(lake: Lake, run_ids: Iterable[str]) -> Rebuilt:
    """Publish the runs anew into a folder of their own, and compare what readers would see.

    Nobody sees the new one until `put_in_place`. Runs that were never judged are left out, as
    nobody saw them. Caches are in no run's record, and costly to make: they are taken over.

    Args:
        lake: where the records and the staged rows are.
        run_ids: all runs there may be.

    Raises:
        CorruptError: a staged part is not as it was written.
        BusyError: the lake does not answer.
    """
    new = Warehouse(lake, f"{FOLDER}-{uuid.uuid4().hex[:12]}")
    runs = 0
    for run_id in sorted(set(run_ids)):
        record = find_record(lake, run_id)
        if record is None:
            continue
        append_run(lake, record.run, warehouse=new)
        rows = to_table([record.marker], PublishedRun)
        new.append_once(PUBLISHED_RUNS, rows, run_id=run_id)
        runs += 1
    old = Warehouse(lake)
    rows_seen, differences = _compared(old, new)
    return Rebuilt(
        folder=new.folder,
        runs=runs,
        rows=rows_seen,
        differences=differences,
        carried={EMBEDDINGS.name: _carried(old, new)},
    )


def put_in_place(lake: Lake, rebuilt: Rebuilt) -> None:
    """Make a rebuilt warehouse the one that is read and written; the old one stays beside it.

    A publisher that is at work meanwhile may still write to the old one: no job should run.
    """
    lake.write_blob(POINTER, rebuilt.folder.encode())


def _carried(old: Warehouse, new: Warehouse) -> int | None:
    """Copy the cache of vectors, some rows at a time, and return how many."""
    import pyarrow as pa

    try:
        dataset = old.dataset(EMBEDDINGS)
        if dataset is None:
            return 0
        return new.append_batches(
            EMBEDDINGS,
            lambda: (pa.Table.from_batches([batch]) for batch in dataset.to_batches()),
            rows=dataset.count_rows(),
            run_id=f"from {old.folder}",
        )
    except (OSError, BrokenError, CorruptError, pa.ArrowException):
        return None


def _compared(old: Warehouse, new: Warehouse) -> tuple[dict[str, int], dict[str, int | None]]:
    """Return the rows of the new one and the rows that only one has, by table."""
    import duckdb
    import pyarrow as pa

    rows: dict[str, int] = {}
    differences: dict[str, int | None] = {}
    for name, table in new.seen().items():
        with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
            connection.register("new", table)
            rows[name] = _count(connection, "FROM new")
            try:
                connection.register("old", old.seen([name])[name])
                differences[name] = _count(
                    connection,
                    "(FROM old EXCEPT ALL FROM new) UNION ALL (FROM new EXCEPT ALL FROM old)",
                )
            except (OSError, CorruptError, duckdb.Error, pa.ArrowException):
                differences[name] = None
    return rows, differences


def _count(connection: Any, query: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()  # noqa: S608 - our own
    return int(found[0])
