"""One job in a process of its own, measured: `python -m bench.scale organize TREE PIDS`.

`simulate COUNT LAKE PIDS` takes generated tables through the steps instead of real files. Prints
one JSON document.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.measure import Meter, own_peak_bytes
from bench.worlds import new_job
from models.domain.table_refs import TableRef

if TYPE_CHECKING:
    from models.domain.jobs import Job
    from warehouse.store.parts import Lake

CHANGED_PER_MILLE = 10
"""Of a thousand files, how many changed since the last index."""
COPIES_PERCENT = 10
"""Of a hundred files, how many have the content of another."""


def organize(tree: Path, servers: tuple[int, ...]) -> dict[str, Any]:
    """Run a whole organize job through Prefect."""
    from models.settings import Settings
    from tasks.ledger.ledger import open_ledger

    with Meter(*servers) as meter:
        from flows.organize import organize as flow

        with open_ledger(Settings()) as ledger:
            job = new_job(ledger, tree)
            facts = flow(job.id)
    return {"cpu_s": meter.cpu_s, "wall_s": meter.wall_s, "steps": {}, "facts": facts}


def fingerprints(count: int) -> pa.Table:
    """Return (count,) rows of Fingerprint of a mixed collection, sorted by key."""
    import polars as pl

    from models.domain.fingerprint import Fingerprint
    from warehouse.schemas.arrow import arrow_schema

    n = pl.int_range(count, eager=True)
    kind = n % 4
    content = pl.when(pl.col("n") % 100 < COPIES_PERCENT).then(pl.col("n") // 100)
    content = content.otherwise(pl.col("n") + count)
    frame = pl.DataFrame({"n": n, "kind": kind}).with_columns(content=content)
    digits = pl.col("content").cast(pl.String).str.zfill(64)
    extension = _by_kind("jpg", "pdf", "txt", "mp3")
    frame = frame.with_columns(
        key=pl.format("folder {}/file {}.{}", pl.col("n") // 500, pl.col("n"), extension),
        size_bytes=1000 + pl.col("content") % 1_000_003,
        modified_ns=1_400_000_000_000_000_000 + pl.col("n") * 300_000_000_000,
        version=pl.format("{}-1-1", pl.col("n")),
        device=pl.lit(1),
        inode=pl.col("n"),
        link_count=pl.lit(1),
        md5=digits.str.slice(32),
        sha256=digits,
        mime=_by_kind("image/jpeg", "application/pdf", "text/plain", "audio/mpeg"),
        content_label=_by_kind("jpeg", "pdf", "txt", "mp3"),
        media=_by_kind("image", "document", "document", "audio"),
        extension_matches=pl.lit(value=True),
        captured_source=pl.lit("modified"),
        captured_flag=pl.lit(""),
    )
    schema = arrow_schema(Fingerprint)
    absent = [name for name in schema.names if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in absent)
    return frame.select(schema.names).sort("key").to_arrow().cast(schema)


def _by_kind(*values: str) -> Any:
    import polars as pl

    return pl.col("kind").replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def listing_of(files: pa.Table) -> pa.Table:
    """Return the listing in which one file in a hundred changed since `files` were read."""
    import polars as pl

    from models.domain.manifest import ManifestRow
    from warehouse.schemas.arrow import arrow_schema

    schema = arrow_schema(ManifestRow)
    is_changed = pl.col("inode") % 1000 < CHANGED_PER_MILLE
    version = pl.when(is_changed).then(pl.col("version") + "x").otherwise(pl.col("version"))
    frame = pl.DataFrame(files.select(schema.names)).with_columns(version=version)
    return frame.to_arrow().cast(schema)


class _Steps:
    """CPU seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        with Meter() as meter:
            yield
        self.seconds[name] = meter.cpu_s
        print(
            f"  {name}: {meter.cpu_s:.1f} CPU s, peak {own_peak_bytes() / 1e6:.0f} MB",
            file=sys.stderr,
            flush=True,
        )


def generate(count: int, folder: Path) -> list[TableRef]:
    """Write an index and the listing after it to a lake."""
    from warehouse.store.parts import open_lake

    lake = open_lake(str(folder))
    index = fingerprints(count)
    return [
        lake.write_part(index, uri="last.parquet", table_name="fingerprints"),
        lake.write_part(listing_of(index), uri="listing.parquet", table_name="manifest"),
    ]


def _generated(count: int, folder: Path) -> list[TableRef]:
    """Generate in another process, whose memory is not that of the steps."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", "generate", str(count), str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [TableRef(**ref) for ref in json.loads(done.stdout)]


def simulate(count: int, folder: Path, servers: tuple[int, ...]) -> dict[str, Any]:
    """Take generated tables from the listing to what is published; no file is touched."""
    from models.domain.jobs import JobKind
    from models.settings import Settings
    from tasks.categorize import core as categorizing
    from tasks.categorize.rules import CertainRules
    from tasks.dedupe import core as dedupe
    from tasks.fingerprint.core import merge
    from tasks.ledger.ledger import open_ledger
    from tasks.manifest.core import COMPARED, compare, known
    from tasks.publish.roots import IndexRefs
    from tasks.publish.staging import staged
    from warehouse.schemas.arrow import arrow_schema
    from warehouse.schemas.files import CATEGORY_COLUMNS
    from warehouse.store.parts import open_lake

    lake = open_lake(str(folder))
    root = folder / "root"
    root.mkdir(parents=True)
    with open_ledger(Settings()) as ledger:
        job = new_job(ledger, root, kind=JobKind.REINDEX)
        before, now = _generated(count, folder)
        steps = _Steps()
        with Meter(*servers) as meter:
            with steps.step("compare"):
                listing = lake.read(now)
                compared = compare(listing, lake.read(before, columns=COMPARED), verify=False)
                kept = known(lake.read_batches(before), compared.holds)
                held = lake.write_batches(
                    kept, arrow_schema(_fingerprint()), uri="k.parquet", table_name="fingerprints"
                )
                changed_count = compared.changed.num_rows
                del listing, compared
            with steps.step("merge"):
                read = [each.filter(_is_changed(each)) for each in lake.read_batches(before)]
                if sum(each.num_rows for each in read) != changed_count:
                    raise RuntimeError("the comparison did not find what changed")

                files = lake.write_part(
                    merge(read, lake.read(held)), uri="f.parquet", table_name="fingerprints"
                )
                del read
            with steps.step("categorize"):
                decided = categorizing.categorize(lake.read(files), [CertainRules()])
                categories = lake.write_part(decided, uri="c.parquet", table_name="categories")
                del decided
            with steps.step("group"):
                needed = dedupe.columns_needed(job.options, job.source_url, job.destination_url)
                found = dedupe.exact_groups(
                    lake.read(files, columns=needed),
                    lake.read(categories, columns=("key", *CATEGORY_COLUMNS)),
                    options=job.options,
                    source_url=job.source_url,
                    destination_url=job.destination_url,
                )
                groups = lake.write_part(found, uri="d.parquet", table_name="duplicates")
                del found
            with steps.step("plan"):
                plan = _plan(lake, job, files, categories, groups)
            with steps.step("stage"):
                refs = IndexRefs(fingerprints=files, categories=categories, duplicates=groups)
                staged(lake, ledger, job.id, job.source_root_id, refs)
    return {
        "cpu_s": meter.cpu_s,
        "wall_s": meter.wall_s,
        "steps": steps.seconds,
        "facts": {"moves": plan.rows, "plan": plan.sha256},
    }


def _plan(
    lake: "Lake", job: "Job", files: TableRef, categories: TableRef, groups: TableRef
) -> TableRef:
    """Plan as the task does, without a destination to look at."""
    from tasks.plan.core import columns_needed, make_moves
    from warehouse.schemas.arrow import arrow_schema
    from warehouse.schemas.files import CATEGORY_COLUMNS

    needed = columns_needed(job.options, job.source_url, job.destination_url)
    moves = make_moves(
        lake.read(files, columns=needed),
        lake.read(categories, columns=("key", *CATEGORY_COLUMNS)),
        lake.read(groups),
        arrow_schema(_fingerprint()).empty_table(),
        options=job.options,
        source_url=job.source_url,
        destination_url=job.destination_url,
    )
    return lake.write_part(moves, uri="m.parquet", table_name="moves")


def _fingerprint() -> type:
    from models.domain.fingerprint import Fingerprint

    return Fingerprint


def _is_changed(files: pa.Table) -> Any:
    import polars as pl

    return (pl.Series(files.column("inode")) % 1000 < CHANGED_PER_MILLE).to_arrow()


def main() -> None:
    """Measure what the arguments ask for, and print it."""
    what, subject, *others = sys.argv[1:]
    if what == "generate":
        refs = generate(int(subject), Path(others[0]))
        sys.stdout.write(json.dumps([asdict(ref) for ref in refs]))
        return
    servers = tuple(int(pid) for pid in others[-1].split(","))
    if what == "organize":
        found = organize(Path(subject), servers)
    else:
        found = simulate(int(subject), Path(others[0]), servers)
    sys.stdout.write(
        "\n" + json.dumps({**found, "peak_bytes": own_peak_bytes()}, default=str) + "\n"
    )
    sys.stdout.flush()
    os._exit(0)  # daemons of libraries shall not delay the next figure


if __name__ == "__main__":
    main()
