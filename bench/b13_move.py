"""B13: a journaled, undoable move of 10,000 files against a bare rename loop.

Method: ours is `Ledger.begin` (operations and folders by COPY) and `Mover.apply` on a durable
Postgres; the yardstick renames the same files into the same folders, which it makes. Each is done
seven times on fresh trees, in turns, and the medians are compared; CPU seconds count Postgres too.
"""

import statistics
from pathlib import Path

from bench.measure import Meter, Result, tree_of_files
from bench.worlds import World, new_job, postgres_only

FILES = 10_000
FOLDERS = 50
REPEATS = 7


def _pairs(tree: Path) -> list[tuple[str, str]]:
    """Return where each file is and where it goes, below the tree."""
    keys = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.txt"))
    return [
        (key, f"sorted/{number % FOLDERS:02d}/{Path(key).name}") for number, key in enumerate(keys)
    ]


def _bare(tree: Path) -> Meter:
    pairs = _pairs(tree)
    with Meter() as meter:
        for source, destination in pairs:
            (tree / destination).parent.mkdir(parents=True, exist_ok=True)
            (tree / source).rename(tree / destination)
    return meter


def _ours(tree: Path, world: World) -> Meter:
    from models.domain.jobs import JobStatus
    from models.domain.operations import Operation
    from storage.opening import canonical_url, open_store
    from tasks.apply.core import Mover
    from tasks.apply.planned import folder_rows
    from tasks.ledger.ledger import Ledger

    ledger = Ledger(world.database_url)
    job = new_job(ledger, tree)
    epoch = ledger.acquire_lease(job.id, "bench", 3600)
    ledger.set_status(job.id, JobStatus.RUNNING, epoch=epoch)
    url = canonical_url(str(tree))
    with open_store(url) as store:
        operations: list[Operation] = []
        for seq, (source, destination) in enumerate(_pairs(tree)):
            row = store.stat(source)
            operations.append(
                Operation(
                    job_id=job.id,
                    seq=seq,
                    unit_id=str(seq),
                    action="move",
                    source_url=url,
                    source_key=source,
                    destination_url=url,
                    destination_key=destination,
                    size_bytes=row.size_bytes,
                    modified_ns=row.modified_ns,
                    sha256=f"{seq:064x}",
                    version=row.version,
                )
            )
        with Meter(*world.servers) as meter:
            ledger.begin(job.id, operations, folder_rows([store], operations))
            mover = Mover([store], ledger, job_id=job.id, epoch=epoch)
            done = mover.apply(ledger.operations(job.id))
    if done != {"done": len(operations)}:
        raise RuntimeError(f"not all was moved: {done}")
    return meter


def measure(scratch: Path, *, full: bool) -> list[Result]:
    """Return the ratios of CPU seconds and of wall clock."""
    del full
    ours: list[Meter] = []
    bare: list[Meter] = []
    with postgres_only(scratch) as world:
        _ours(tree_of_files(scratch / "warm", 100), world)
        for repeat in range(REPEATS):
            bare.append(_bare(tree_of_files(scratch / f"bare-{repeat}", FILES)))
            ours.append(_ours(tree_of_files(scratch / f"ours-{repeat}", FILES), world))

    def median(meters: list[Meter], name: str) -> float:
        return statistics.median(getattr(meter, name) for meter in meters)

    return [
        Result(
            figure="B13",
            what="journaled, undoable move of 10,000 files, Postgres' CPU included",
            yardstick="bare rename loop, same folders",
            ours=median(ours, "cpu_s"),
            theirs=median(bare, "cpu_s"),
            unit="CPU s",
            goal=2.5,
            note=f"our process alone {median(ours, 'own_s'):.2f} CPU s",
        ),
        Result(
            figure="B13",
            what="the same by the clock, all of it durable",
            yardstick="the same loop, nothing of it durable",
            ours=median(ours, "wall_s"),
            theirs=median(bare, "wall_s"),
            unit="s",
            goal=2.5,
        ),
    ]
