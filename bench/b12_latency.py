"""B12: from submitting a job to its first batch on the worker, against a direct call.

Method: `create_job(launch=True)` writes the outbox; dispatcher, Prefect server and worker do the
rest, each as `fileorganizer up` runs them. The clock stops when the first fingerprint part lies in
the lake. The yardstick calls the flow function in a fresh Python process, imports included.
By the clock: on a busy machine both are longer than on a quiet one.
"""

import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Result, tree_of_files
from bench.worlds import World, new_job, whole_stack

FILES = 20
LIMIT_S = 180.0
POLL_S = 0.02


def _wait_for_batch(job_id: str, since: float) -> float:
    """Return the seconds until the job's first batch is in the lake."""
    from models.settings import Settings

    folder = Path(Settings().lake) / "runs" / job_id / "fingerprint"
    while time.perf_counter() - since < LIMIT_S:
        if any(folder.rglob("part-*.parquet")):
            return time.perf_counter() - since
        time.sleep(POLL_S)
    raise RuntimeError(f"job {job_id} has no batch after {LIMIT_S:.0f} s")


def _wait_for_end(job_id: str, world: World) -> None:
    from models.domain.jobs import TERMINAL
    from tasks.ledger.ledger import Ledger

    ledger = Ledger(world.database_url)
    deadline = time.monotonic() + LIMIT_S
    while ledger.job(job_id).status not in TERMINAL and time.monotonic() < deadline:
        time.sleep(0.2)


def _submitted(tree: Path, world: World) -> float:
    from tasks.ledger.ledger import Ledger

    ledger = Ledger(world.database_url)
    start = time.perf_counter()
    job = new_job(ledger, tree, is_launched=True)
    found = _wait_for_batch(job.id, start)
    _wait_for_end(job.id, world)
    return found


def _called(tree: Path, world: World) -> float:
    from tasks.ledger.ledger import Ledger

    job = new_job(Ledger(world.database_url), tree)
    code = f"from flows.organize import organize; organize({job.id!r})"
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        found = _wait_for_batch(job.id, start)
        process.wait(timeout=LIMIT_S)
    return found


def measure(scratch: Path, *, full: bool) -> list[Result]:
    """Return seconds until the first batch, submitted over called."""
    del full
    with whole_stack(scratch) as world:
        for name in ("warm-a", "warm-b"):
            tree_of_files(scratch / name, FILES)
        _submitted(scratch / "warm-a", world)
        called = _called(tree_of_files(scratch / "called", FILES), world)
        submitted = _submitted(tree_of_files(scratch / "submitted", FILES), world)
    what = "from submitting a job to its first batch on the worker"
    return [
        Result(
            figure="B12",
            what=what,
            yardstick="the flow function called in a fresh process",
            ours=submitted,
            theirs=called,
            unit="s",
            goal=3.0,
        ),
        Result(
            figure="B12",
            what=what,
            yardstick="5 s (two quiet cores)",
            ours=submitted,
            theirs=5.0,
            unit="s",
            goal=1.0,
        ),
    ]
