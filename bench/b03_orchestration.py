"""B3: what Prefect costs in a job of 20,000 files.

Method: the flows `propose` and `enact` through a real Prefect server, against the same steps as
plain functions (`bench.plain`) on an equal tree, in one warm process. CPU seconds of our process,
Postgres, the Prefect server and its idle worker all count; the fixed start is what the same
difference is for a job of 10 files, and is taken off. The goal is 2 % on top of 1.
"""

from collections.abc import Callable
from pathlib import Path

from bench.measure import Meter, Result, tree_of_files
from bench.worlds import World, new_job, whole_stack

FILES = 20_000
FEW = 10
SIZE_BYTES = 2000


def _flow(job_id: str) -> None:
    from flows.enact import enact
    from flows.propose import propose
    from tasks.lifecycle.task import approve_own_plan

    propose(job_id)
    approve_own_plan(job_id)
    enact(job_id)


def _plain(job_id: str) -> None:
    from bench.plain import organize

    organize(job_id)


def _cost(work: Callable[[str], None], tree: Path, world: World) -> Meter:
    from tasks.ledger.ledger import Ledger

    job = new_job(Ledger(world.database_url), tree)
    with Meter(*world.servers) as meter:
        work(job.id)
    return meter


def measure(scratch: Path, *, full: bool, files: int = FILES) -> list[Result]:
    """Return the job through Prefect over the job without, and the fixed start by itself."""
    del full
    meters: dict[str, Meter] = {}
    with whole_stack(scratch) as world:
        for round_, count in (("warm", FEW), ("few", FEW), ("many", files)):
            for name, work in (("plain", _plain), ("flow", _flow)):
                tree = tree_of_files(scratch / f"{round_}-{name}", count, size_bytes=SIZE_BYTES)
                meters[f"{round_} {name}"] = _cost(work, tree, world)
    fixed = meters["few flow"].cpu_s - meters["few plain"].cpu_s
    fixed_s = meters["few flow"].wall_s - meters["few plain"].wall_s
    flow, plain = meters["many flow"], meters["many plain"]
    return [
        Result(
            figure="B3",
            what=f"job of {files:,} files through Prefect, less the fixed start",
            yardstick="the same steps as plain functions",
            ours=flow.cpu_s - fixed,
            theirs=plain.cpu_s,
            unit="CPU s",
            goal=1.02,
            note=f"fixed start {fixed:.1f} CPU s, {fixed_s:.1f} s by the clock; "
            f"servers {flow.servers_s:.1f} and {plain.servers_s:.1f} CPU s",
        ),
        Result(
            figure="B3",
            what="the same by the clock",
            yardstick="the same steps as plain functions",
            ours=flow.wall_s - fixed_s,
            theirs=plain.wall_s,
            unit="s",
            goal=1.02,
        ),
    ]
