"""B4: the second index of an unchanged tree against `scandir` + `stat`, and against the first.

Method: 100,000 small files are indexed twice by the steps of the flow `reindex-root` on a durable
Postgres (without Prefect, whose fixed start would hide them). The yardstick walks the same tree
with `os.scandir` and `stat`. Compared are CPU seconds, Postgres' included.
"""

import os
from pathlib import Path

from bench.measure import Meter, Result, tree_of_files
from bench.worlds import World, new_job, postgres_only

FILES = 100_000


def _walk(folder: str) -> int:
    """Stat every file below a folder; return how many."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += _walk(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count


def _index(tree: Path, world: World) -> Meter:
    from bench.plain import reindex
    from models.domain.jobs import JobKind
    from tasks.ledger.ledger import Ledger

    job = new_job(Ledger(world.database_url), tree, kind=JobKind.REINDEX)
    with Meter(*world.servers) as meter:
        reindex(job.id)
    return meter


def _list(tree: Path, world: World) -> Meter:
    """List and compare only: what a re-index does before anything else."""
    from models.domain.jobs import JobKind
    from tasks.ledger.ledger import Ledger
    from tasks.manifest.task import list_manifest

    job = new_job(Ledger(world.database_url), tree, kind=JobKind.REINDEX)
    with Meter(*world.servers) as meter:
        listed = list_manifest.fn(job.id, job.source_root_id)
    if listed.changed.rows:
        raise RuntimeError(f"{listed.changed.rows} files count as changed")
    return meter


def measure(scratch: Path, *, full: bool, files: int = FILES) -> list[Result]:
    """Return the second index over both yardsticks, and its listing over the first."""
    del full
    tree = tree_of_files(scratch / "tree", files)
    with postgres_only(scratch) as world:
        _index(tree_of_files(scratch / "warm", 10), world)
        first = _index(tree, world)
        with Meter() as walk:
            _walk(str(tree))
        second = _index(tree, world)
        listing = _list(tree, world)
    name = f"second index of {files:,} unchanged files"
    return [
        _result(f"{name}: listing and comparing", "scandir + stat", (listing, walk), 3.0),
        _result(f"{name}: the whole job", "the first index", (second, first), 1 / 50),
        _result(f"{name}: the whole job", "scandir + stat", (second, walk), None),
    ]


def _result(what: str, yardstick: str, pair: tuple[Meter, Meter], goal: float | None) -> Result:
    ours, theirs = pair
    return Result(
        figure="B4",
        what=what,
        yardstick=yardstick,
        ours=ours.cpu_s,
        theirs=theirs.cpu_s,
        unit="CPU s",
        goal=goal,
        note=f"by the clock {ours.wall_s:.1f} s and {theirs.wall_s:.1f} s",
    )
