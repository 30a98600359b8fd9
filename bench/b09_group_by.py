"""B9: an analyst's group-by over 10 million file versions against a native DuckDB table.

Method: ten runs of a million versions each (four categories, real-looking keys, random hashes) are
appended as publishers do and marked as published; judging them is left out (Great Expectations
takes 2 CPU s for 100,000 files). The same rows are put into a DuckDB file of its own. Files and
bytes by category and month are asked of the locked connection of `fileorganizer sql`, of the file
that `warehouse attach` makes, and of the native table, each in a fresh process with two threads,
three times; compared are CPU seconds of the queries alone, least of three. `files` (the newest
version of each path that is not gone) must look at every version of every path.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import Result, measured, own_peak_bytes, python_process

RUNS = 10
ROWS = 1_000_000
BATCH_ROWS = 100_000
REPEATS = 3
BUDGET_BYTES = 2_000_000_000

BY_CATEGORY = """
SELECT category, month, count(*) AS files, sum(size_bytes) AS bytes
FROM {} WHERE NOT is_deleted GROUP BY ALL ORDER BY ALL"""
NEWEST = "SELECT category, count(*) AS files, sum(size_bytes) AS bytes FROM files GROUP BY ALL"

GENERATED = """
SELECT $run AS run_id, $at::TIMESTAMPTZ AS recorded_at, strftime($at::TIMESTAMP, '%Y-%m') AS month,
    'root' AS root_id,
    format('folder {:05d}/file {:08d}.jpg', n // 500, n) AS key, false AS is_deleted,
    format('{}-1600000000000000000-{}', n, $number) AS version,
    1000 + hash(n) % 1000003 AS size_bytes, $at::TIMESTAMPTZ AS modified_at,
    sha256(n::VARCHAR || $run) AS sha256, md5(n::VARCHAR || $run) AS md5, '.jpg' AS extension,
    'image/jpeg' AS mime, 'image' AS media, 'jpeg' AS content_label,
    ['Photos', 'Reports', 'Notes', 'Music'][1 + n % 4] AS category, NULL AS subcategory,
    'Images' AS coarse_category, '2021-02-03T04:05:06' AS captured_at, 'exif' AS captured_source,
    NULL AS problem
FROM range($first, $last) AS r(n)"""


def publish(lake_url: str, rows: int) -> None:
    """Publish ten runs of (rows,) versions; every second one changes files of the one before."""
    import duckdb

    from models.domain.warehouse_rows import PublishedRun, RunStatus
    from warehouse.schemas.arrow import arrow_schema, to_table
    from warehouse.schemas.tables import BY_NAME, PUBLISHED_RUNS
    from warehouse.store.delta import Warehouse
    from warehouse.store.parts import open_lake

    warehouse, table = Warehouse(open_lake(lake_url)), BY_NAME["dim_file"]
    for number in range(RUNS):
        run_id, at = f"run-{number}", f"2026-{1 + number:02d}-01 00:00:00"
        first = rows * (number // 2)
        values = {"run": run_id, "at": at, "number": number, "first": first, "last": first + rows}
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            made = connection.execute(GENERATED, values).to_arrow_reader(BATCH_ROWS)
            warehouse.append_batches(
                table, partial(_cast, made, arrow_schema(table.row)), rows=rows, run_id=run_id
            )
        marker = PublishedRun(
            run_id=run_id,
            recorded_at=datetime.fromisoformat(f"{at}+00:00"),
            month=at[:7],
            kind="reindex",
            root_id="root",
            status=RunStatus.PUBLISHED,
            expectations_count=0,
            rows_count=rows,
            row_counts=json.dumps({table.name: rows}),
            reasons=None,
        )
        warehouse.append_once(PUBLISHED_RUNS, to_table([marker], PublishedRun), run_id=run_id)


def _cast(batches: Any, schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    return (pa.Table.from_batches([batch]).cast(schema) for batch in batches)


def native(lake_url: str, target: str) -> None:
    """Put the same rows into a DuckDB table of its own."""
    from warehouse.connect import connect
    from warehouse.store.parts import open_lake

    with connect(open_lake(lake_url), read_only=False) as connection:
        connection.execute(f"ATTACH '{target}' AS native")
        connection.execute("CREATE TABLE native.dim_file AS FROM file_versions")


def attach(lake_url: str, target: str) -> None:
    """Make the file for other tools."""
    from warehouse.attaching import write_attachable
    from warehouse.store.parts import open_lake

    write_attachable(open_lake(lake_url), Path(target))


def ask(door: str, where: str, query: str) -> None:
    """Ask a query three times and print what it cost, what was held, and the answer's digest."""
    import duckdb

    from warehouse.connect import connect
    from warehouse.store.parts import open_lake

    opened: Any = connect(open_lake(where)) if door == "locked" else duckdb.connect(where)
    answers: list[Any] = []
    costs: list[float] = []
    with opened as connection:
        for _ in range(REPEATS):
            usage = measured(lambda: answers.append(connection.execute(query).fetchall()))
            costs.append(usage.cpu_s)
    document = {"cpu_s": min(costs), "peak": own_peak_bytes(), "answer": repr(sorted(answers[-1]))}
    Path(sys.argv[-1]).write_text(json.dumps(document))


def measure(scratch: Path, *, full: bool, rows: int = ROWS) -> list[Result]:  # noqa: ARG001 - one size
    """Measure B9 once."""
    lake, table, other = scratch / "lake", scratch / "native.duckdb", scratch / "attached.duckdb"
    began = time.perf_counter()
    published = python_process(__name__, "publish", str(lake), str(rows))
    seconds = time.perf_counter() - began
    python_process(__name__, "attach", str(lake), str(other))
    python_process(__name__, "native", str(lake), str(table))
    ours, theirs = BY_CATEGORY.format("file_versions"), BY_CATEGORY.format("dim_file")
    doors = {
        "native": ("native", table, theirs),
        "locked": ("locked", lake, ours),
        "attached": ("attached", other, ours),
        "newest": ("locked", lake, NEWEST),
        "newest attached": ("attached", other, NEWEST),
    }
    found: dict[str, dict[str, Any]] = {}
    for name, (door, where, query) in doors.items():
        said = scratch / "said.json"
        python_process(__name__, "ask", door, str(where), query, str(said))
        found[name] = json.loads(said.read_text())
    if not found["native"]["answer"] == found["locked"]["answer"] == found["attached"]["answer"]:
        raise RuntimeError("the doors answer differently")
    size = sum(path.stat().st_size for path in lake.rglob("*.parquet"))
    total = RUNS * rows
    what = f"files and bytes by category and month of {total:,} file versions"

    def cost(name: str, what: str, goal: float | None, note: str = "") -> Result:
        theirs = found["native"]["cpu_s"]
        return Result(
            figure="B9",
            what=what,
            yardstick="the same of a native DuckDB table",
            ours=found[name]["cpu_s"],
            theirs=theirs,
            unit="CPU s",
            goal=goal,
            note=note,
        )

    peak = max(each["peak"] for name, each in found.items() if name != "native")
    return [
        cost("locked", f"{what}, by `fileorganizer sql`", 1.5),
        cost("attached", f"{what}, in the file of `warehouse attach`", 1.5),
        cost("newest", "files and bytes by category of the files there are now", None),
        cost("newest attached", "the same in the file of `warehouse attach`", None),
        Result(
            figure="B9",
            what="peak memory of these queries",
            yardstick="2 GB",
            ours=peak / 1e6,
            theirs=BUDGET_BYTES / 1e6,
            unit="MB",
            goal=1.0,
            note=f"publishing: {published.peak_bytes / 1e6:,.0f} MB at most",
        ),
        Result(
            figure="B9",
            what="size on disk of a file version",
            yardstick="a row of the native table",
            ours=size / total,
            theirs=table.stat().st_size / total,
            unit="bytes",
            goal=None,
            note=f"published at {total / published.cpu_s:,.0f} rows per CPU s, {seconds:.0f} s",
        ),
    ]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["publish", lake, rows]:
            publish(lake, int(rows))
        case ["attach", lake, target]:
            attach(lake, target)
        case ["native", lake, target]:
            native(lake, target)
        case [_, door, where, query, _]:
            ask(door, where, query)
        case _:
            raise SystemExit(f"no such part: {sys.argv[1:]}")
