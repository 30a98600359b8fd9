"""B8: the catalog load of a million rows against Postgres' own binary COPY.

Method: `Ledger.publish_files` merges rows into `files` (repeatable, indexes and constraints and
all); then the very rows are copied out in binary form, removed, and copied in again by `psql`'s
protocol. Compared are CPU seconds of client and server. A bare table without any index stands
beside it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from bench.measure import Meter, Result
from bench.worlds import World, new_job, postgres_only

ROWS = 1_000_000
SMALL_ROWS = 100_000
BLOCK_BYTES = 1 << 20
KINDS = (
    ("jpg", "image/jpeg", "Images", "Photos"),
    ("pdf", "application/pdf", "Documents", "Reports"),
    ("txt", "text/plain", "Documents", "Notes"),
    ("mp3", "audio/mpeg", "Audio", "Music"),
)


def catalog_rows(count: int) -> pa.Table:
    """Return (count,) rows of CatalogRow as an index of a mixed collection gives them."""
    from models.domain.catalog import CatalogRow
    from warehouse.schemas.arrow import arrow_schema

    columns: dict[str, list[Any]] = {name: [] for name in arrow_schema(CatalogRow).names}
    details = json.dumps({"media": "image", "width": 4032, "height": 3024, "captured_source": "x"})
    for number in range(count):
        extension, mime, coarse, category = KINDS[number % len(KINDS)]
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        values = {
            "key": f"folder {number // 500:05d}/file {number:08d}.{extension}",
            "size_bytes": 1000 + number % 1_000_003,
            "modified_ns": 1_600_000_000_000_000_000 + number,
            "version": f"{number}-1600000000000000000-1600000000000000000",
            "mime": mime,
            "md5": digest[:32],
            "sha256": digest,
            "category": category,
            "coarse_category": coarse,
            "category_confidence": 1.0,
            "details": details,
            "is_organized": False,
        }
        for name, column in columns.items():
            column.append(values.get(name))
    return pa.Table.from_pydict(columns, schema=arrow_schema(CatalogRow))


def _copy_out(connection: "psycopg.Connection[Any]", path: Path) -> None:
    copying = connection.cursor().copy("COPY files TO STDOUT (FORMAT binary)")
    with copying as copy, path.open("wb") as file:
        for block in copy:
            file.write(block)


def _copy_in(connection: "psycopg.Connection[Any]", path: Path, table: str) -> None:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
    with path.open("rb") as file, connection.cursor().copy(statement) as copy:
        while block := file.read(BLOCK_BYTES):
            copy.write(block)
    connection.commit()


def _load(world: World, scratch: Path, rows: pa.Table) -> tuple[Meter, Meter]:
    """Publish once and once more; the second time nothing changes."""
    from tasks.ledger.ledger import Ledger

    ledger = Ledger(world.database_url)
    (scratch / "root").mkdir(exist_ok=True)
    job = new_job(ledger, scratch / "root")
    with Meter(*world.servers) as first:
        changes = ledger.publish_files(job, rows, is_complete=True)
    with Meter(*world.servers) as again:
        repeated = ledger.publish_files(job, rows, is_complete=True)
    if changes.inserted != rows.num_rows or repeated.unchanged != rows.num_rows:
        raise RuntimeError(f"unexpected: {changes}, then {repeated}")
    return first, again


def measure(scratch: Path, *, full: bool) -> list[Result]:
    """Return the load and the repeated load over both kinds of COPY."""
    del full
    rows = catalog_rows(ROWS)
    dump = scratch / "files.binary"
    with postgres_only(scratch) as world:
        ours, again = _load(world, scratch, rows)
        with psycopg.connect(world.database_url.replace("+psycopg", "")) as connection:
            _copy_out(connection, dump)
            connection.execute("TRUNCATE files CASCADE")
            connection.commit()
            with Meter(*world.servers) as indexed:
                _copy_in(connection, dump, "files")
            connection.execute("CREATE TABLE bare AS SELECT * FROM files WITH NO DATA")
            connection.commit()
            with Meter(*world.servers) as bare:
                _copy_in(connection, dump, "bare")
    rate = len(rows) / ours.cpu_s
    return [
        _result(
            f"catalog load of {len(rows):,} rows, idempotent",
            "binary COPY into the same table, indexes and all",
            (ours, indexed),
            1.5,
            f"{rate:,.0f} rows per CPU s; by the clock {ours.wall_s / indexed.wall_s:.2f}",
        ),
        _result("the same load", "binary COPY into a bare table", (ours, bare), None),
        _result("the same rows published again", "the first time", (again, ours), None),
    ]


def _result(
    what: str, yardstick: str, pair: tuple[Meter, Meter], goal: float | None, note: str = ""
) -> Result:
    ours, theirs = pair
    return Result(
        figure="B8",
        what=what,
        yardstick=yardstick,
        ours=ours.cpu_s,
        theirs=theirs.cpu_s,
        unit="CPU s",
        goal=goal,
        note=note,
    )
