"""Invariants of a whole run, measured by DuckDB where its rows lie: cheap, on the hot path."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import pyarrow as pa

from models.domain.warehouse_daily import DAILY
from warehouse.schemas.tables import tables_of
from warehouse.store.publishing import StagedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of a run and what it must be."""

    measure: str
    actual: int
    expected: int


def measures(tables: Mapping[str, pa.Table], run: StagedRun) -> tuple[Measure, ...]:
    """Return what was counted over the rows at rest beside what it must be.

    Args:
        tables: the run's rows by table, all of its kind.
        run: what was staged; `expected` has the ledger's counts, and a measure nobody
            expects must be 0.
    """
    import duckdb

    written = tables_of(run.kind)
    document = "invariants_of_a_day.sql" if run.kind == DAILY else "invariants.sql"
    expected = {
        f"rows of {table.name}": run.tables[table.name].rows if table.name in run.tables else 0
        for table in written
    } | dict(run.expected)
    with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
        for name, rows in tables.items():
            connection.register(name, rows)
        sql = files("warehouse.quality").joinpath(document).read_text("utf-8")
        actual = {str(name): int(value) for name, value in connection.execute(sql).fetchall()}
        for table in written:
            columns = ", ".join(table.identity)
            query = f"SELECT count(*) - count(DISTINCT ({columns})) FROM {table.name}"  # noqa: S608 - names of our own
            found = connection.execute(query).fetchone()
            actual[f"repeated identities in {table.name}"] = int(found[0]) if found else 0
    names = sorted(actual.keys() | expected.keys())
    return tuple(
        Measure(measure=name, actual=actual.get(name, 0), expected=expected.get(name, 0))
        for name in names
    )


def violations(found: tuple[Measure, ...]) -> tuple[str, ...]:
    """Return what is not as it must be, in words."""
    return tuple(
        f"{m.measure}: {m.actual}, and it must be {m.expected}"
        for m in found
        if m.actual != m.expected
    )
