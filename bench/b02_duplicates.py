"""B2: the duplicate answer against jdupes.

Method: `list_manifest`, `fingerprint_batch` and `find_duplicates` as plain functions on a durable
Postgres, with both full hashes, types and facts of every file (which the product needs anyway),
against `jdupes -r`, which compares sizes, then partial hashes, then full contents of candidates.
CPU seconds, warm page cache. 20,000 files unless `--full` (85,000, 3.6 GB).
"""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.measure import Meter, Result
from bench.mixture import describe, with_copies
from bench.worlds import World, new_job, postgres_only

FILES = 20_000
FULL_FILES = 85_000
MISSING = "jdupes is not installed (Debian: apt-get install jdupes): not measured"


def _jdupes(tree: Path) -> tuple[Meter, set[frozenset[str]]]:
    """Return what jdupes cost, and its groups."""
    with Meter() as meter:
        done = subprocess.run(
            ["jdupes", "--quiet", "--recurse", str(tree)],
            check=True,
            capture_output=True,
            text=True,
        )
    blocks = (block.split("\n") for block in done.stdout.strip().split("\n\n"))
    return meter, {frozenset(block) for block in blocks if len(block) > 1}


def _ours(tree: Path, world: World) -> tuple[Meter, set[frozenset[str]]]:
    from bench.plain import index
    from models.domain.jobs import JobKind
    from models.settings import Settings
    from tasks.ledger.ledger import Ledger
    from warehouse.store.parts import open_lake

    ledger = Ledger(world.database_url)
    job = new_job(ledger, tree, kind=JobKind.REINDEX)
    with Meter(*world.servers) as meter:
        refs, _ = index(job.id, job.source_root_id)
        rows = open_lake(Settings().lake).read(refs[2])
    ledger.set_last_index(job.source_root_id, refs[0], job_id=job.id)  # as publishing does
    return meter, _groups(zip(*rows.select(["group_id", "key"]).to_pydict().values(), strict=True))


def _groups(members: Iterable[tuple[str, str]]) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for group, key in members:
        groups.setdefault(group, set()).add(key)
    return {frozenset(keys) for keys in groups.values()}


def measure(scratch: Path, *, full: bool, files: int | None = None) -> list[Result]:
    """Return our CPU seconds over those of jdupes; both must find the same groups."""
    tree = with_copies(scratch / "tree", files or (FULL_FILES if full else FILES))
    what = f"duplicate groups of {describe(tree)}, by full hashes, with types and facts"
    with postgres_only(scratch) as world:
        warm = scratch / "warm"
        warm.mkdir()
        (warm / "a.txt").write_text("a")
        _ours(warm, world)
        ours, groups = _ours(tree, world)
        again, _ = _ours(tree, world)
    if shutil.which("jdupes") is None:
        return [_result(what, ours, None, MISSING, 6.0)]
    theirs, expected = _jdupes(tree)
    found = {frozenset(f"{tree}/{key}" for key in group) for group in groups}
    if found != expected:
        raise RuntimeError(f"{len(found)} groups here, {len(expected)} by jdupes")
    note = f"{len(found):,} groups, the same ones"
    return [
        _result(what, ours, theirs, note, 6.0),
        _result("the same question again, nothing changed", again, theirs, "", None),
    ]


def _result(what: str, ours: Meter, theirs: Meter | None, note: str, goal: float | None) -> Result:
    return Result(
        figure="B2",
        what=what,
        yardstick="jdupes",
        ours=ours.cpu_s,
        theirs=float("nan") if theirs is None else theirs.cpu_s,
        unit="CPU s",
        goal=goal,
        note=note,
    )
