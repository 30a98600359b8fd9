"""B10: cost of a file in jobs of 10,000, 100,000 and 1,000,000 files, and peak memory.

Method: whole organize jobs through Prefect over 10,000 and 100,000 real small files, each in a
fresh process (`bench.scale`), CPU seconds of all servers included, less those of a job of 10 files.
A million is simulated: generated listings and fingerprints go through comparing, categorizing,
grouping, planning and the staging of publication, held against 100,000 of the same. Peak memory is
that of the process that runs the job.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import Result, tree_of_files
from bench.worlds import postgres_only, whole_stack

FEW = 10
SMALL = 10_000
LARGE = 100_000
HUGE = 1_000_000
MEMORY_BYTES = 2_000_000_000
MAY_GROW = 1.2


def _in_process(what: str, *arguments: str, servers: tuple[int, ...]) -> dict[str, Any]:
    """Run `bench.scale` and return what it measured: `cpu_s`, `wall_s`, `peak_bytes`, `steps`."""
    pids = ",".join(str(pid) for pid in servers)
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", what, *arguments, pids],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=os.environ,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    scratch: Path, *, full: bool, sizes: tuple[int, int, int] = (SMALL, LARGE, HUGE)
) -> list[Result]:
    """Return growth of the cost of a file, and peak memory over 2 GB."""
    del full
    small, large, huge = sizes
    real: dict[int, dict[str, Any]] = {}
    with whole_stack(scratch) as world:
        for count in (FEW, small, large):
            tree = tree_of_files(scratch / f"tree-{count}", count, size_bytes=500)
            real[count] = _in_process("organize", str(tree), servers=world.servers)
    with postgres_only(scratch) as world:
        made = {
            count: _in_process(
                "simulate", str(count), str(scratch / f"lake-{count}"), servers=world.servers
            )
            for count in (large, huge)
        }
    fixed = real[FEW]["cpu_s"]

    def cost(count: int) -> float:
        """Microseconds of CPU a file, without the fixed start."""
        return 1e6 * (real[count]["cpu_s"] - fixed) / count

    peak = max(real[large]["peak_bytes"], made[huge]["peak_bytes"])
    return [
        Result(
            figure="B10",
            what=f"a file in an organize job of {large:,}",
            yardstick=f"a file in one of {small:,}",
            ours=cost(large),
            theirs=cost(small),
            unit="µs CPU",
            goal=MAY_GROW,
            note=f"fixed start {fixed:.1f} CPU s; {real[large]['wall_s']:.0f} s by the clock",
        ),
        Result(
            figure="B10",
            what=f"a file among {huge:,}, simulated from the listing to publication",
            yardstick=f"a file among {large:,}, simulated",
            ours=1e6 * made[huge]["cpu_s"] / huge,
            theirs=1e6 * made[large]["cpu_s"] / large,
            unit="µs CPU",
            goal=MAY_GROW,
            note=", ".join(f"{name} {s:.0f} s" for name, s in made[huge]["steps"].items()),
        ),
        Result(
            figure="B10",
            what=f"peak memory of a job ({large:,} real and {huge:,} simulated files)",
            yardstick="2 GB",
            ours=peak / 1e6,
            theirs=MEMORY_BYTES / 1e6,
            unit="MB",
            goal=1.0,
            note=f"{real[large]['peak_bytes'] / 1e6:.0f} MB real, "
            f"{made[huge]['peak_bytes'] / 1e6:.0f} MB simulated",
        ),
    ]
