"""Publishing a run: append its rows, judge them where they lie, then one commit shows them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pydantic import TypeAdapter

from models.domain.errors import BrokenError, MissingError
from models.domain.table_refs import TableRef
from models.domain.warehouse_daily import DAILY
from models.domain.warehouse_rows import PublishedRun, RunRow, RunStatus
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.schemas.tables import DATA_TABLES, PUBLISHED_RUNS, WarehouseTable, tables_of
from warehouse.store.delta import Warehouse
from warehouse.store.parts import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the expectations said of a run.

    Attributes:
        expectations: how many judged it.
        failures: what was not as it must be, in words; empty when all is well.
    """

    expectations: int
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRun:
    """The frozen rows of a run: what is published, however often publishing is begun again.

    Attributes:
        tables: part of each table with rows, by the table's name.
        expected: what the ledger counted when they were staged, by measure.
    """

    run_id: str
    kind: str
    root_id: str
    tables: Mapping[str, TableRef]
    expected: Mapping[str, int]


Judge = Callable[[StagedRun], Verdict]
"""Judges a run by its rows at rest (`rows_at_rest`)."""


def _unwatched(_step: str) -> None:
    """Watch nothing."""


def append_run(
    lake: Lake,
    run: StagedRun,
    *,
    on_step: Callable[[str], None] = _unwatched,
    warehouse: Warehouse | None = None,
) -> dict[str, int]:
    """Append a staged run to its tables and return the rows appended by table; 0 where it was.

    Nobody sees them yet. Killed at any point and called again, each row is there once.

    Args:
        lake: where the warehouse and the staged parts are.
        run: what to append.
        on_step: called with the name of each step before it is taken.
        warehouse: the tables; the lake's present ones unless given.

    Raises:
        BusyError: others commit without end.
        CorruptError: a staged part is not as it was written.
    """
    warehouse = warehouse or Warehouse(lake)
    appended: dict[str, int] = {}
    for table in tables_of(run.kind):
        ref = run.tables.get(table.name)
        if ref is not None:
            on_step(f"append {table.name}")
            appended[table.name] = warehouse.append_batches(
                table, partial(lake.read_batches, ref), rows=ref.rows, run_id=run.run_id
            )
    return appended


def rows_at_rest(
    lake: Lake, run_id: str, tables: Sequence[WarehouseTable] = DATA_TABLES
) -> dict[str, pa.Table]:
    """Return a run's rows as the warehouse has them, by table, published or not."""
    warehouse = Warehouse(lake)
    return {table.name: warehouse.rows_of(table, run_id=run_id) for table in tables}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """All that the warehouse can be rebuilt from, of one run: its staged rows and its marker."""

    run: StagedRun
    marker: PublishedRun


def _record_uri(run_id: str) -> str:
    return f"runs/{run_id}/publish/record.json"


def keep_record(lake: Lake, record: RunRecord) -> None:
    """Keep the record of a run beside its staged rows."""
    document = TypeAdapter(RunRecord).dump_json(record)
    lake.write_blob(_record_uri(record.run.run_id), document)


def find_record(lake: Lake, run_id: str) -> RunRecord | None:
    """Return the record of a run; None when it was never judged."""
    try:
        return TypeAdapter(RunRecord).validate_json(lake.read_blob(_record_uri(run_id)))
    except MissingError:
        return None


def newest_run(lake: Lake, *, beginning: str = "") -> PublishedRun:
    """Return the run that was recorded last, published or in quarantine.

    Args:
        lake: where the warehouse is.
        beginning: what its id begins with.

    Raises:
        MissingError: there is none.
    """
    dataset = Warehouse(lake).dataset(PUBLISHED_RUNS)
    runs = [] if dataset is None else to_rows(dataset.to_table(), PublishedRun)
    found = [each for each in runs if each.run_id.startswith(beginning)]
    if not found:
        raise MissingError(
            f"no run begins with {beginning}; `fileorganizer jobs` lists them"
            if beginning
            else "nothing was published yet; `fileorganizer reindex FOLDER` does"
        )
    return max(found, key=lambda each: (each.recorded_at, each.run_id))


def settled(lake: Lake, run_id: str) -> PublishedRun | None:
    """Return a run's commit marker, or None while it has none."""
    rows = Warehouse(lake).rows_of(PUBLISHED_RUNS, run_id=run_id)
    return next(iter(to_rows(rows, PublishedRun)), None)


def settle_run(
    lake: Lake,
    run: StagedRun,
    verdict: Verdict,
    *,
    on_step: Callable[[str], None] = _unwatched,
) -> PublishedRun:
    """Show the run, or put it into quarantine, by one commit; return the marker that counts.

    A run has one marker for ever: when there is one, it is returned and nothing changes.

    Raises:
        BusyError: others commit without end.
    """
    stamped = run.tables["fact_day" if run.kind == DAILY else "fact_job"]
    stamp = to_rows(lake.read(stamped), RunRow)[0]
    counts = {name: ref.rows for name, ref in sorted(run.tables.items())}
    marker = PublishedRun(
        run_id=run.run_id,
        recorded_at=stamp.recorded_at,
        month=stamp.month,
        kind=run.kind,
        root_id=run.root_id,
        status=RunStatus.QUARANTINED if verdict.failures else RunStatus.PUBLISHED,
        expectations_count=verdict.expectations,
        rows_count=sum(counts.values()),
        row_counts=json.dumps(counts),
        reasons="\n".join(verdict.failures) or None,
    )
    keep_record(lake, RunRecord(run=run, marker=marker))
    on_step("mark")
    rows = to_table([marker], PublishedRun)
    Warehouse(lake).append_once(PUBLISHED_RUNS, rows, run_id=run.run_id)
    found = settled(lake, run.run_id)
    if found is None:
        raise BrokenError(f"run {run.run_id} was marked and its mark is not there")
    return found


def publish(
    lake: Lake,
    run: StagedRun,
    judge: Judge,
    *,
    on_step: Callable[[str], None] = _unwatched,
) -> PublishedRun:
    """Append, judge and show a run; again and again gives the same as once.

    Returns:
        The marker; `status` says whether the run is seen.

    Raises:
        BusyError: others commit without end.
    """
    found = settled(lake, run.run_id)
    if found is not None:
        return found
    append_run(lake, run, on_step=on_step)
    on_step("judge")
    return settle_run(lake, run, judge(run), on_step=on_step)
