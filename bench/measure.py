"""How a figure is measured: CPU seconds of processes as the kernel counts them, and ratios."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What work cost.

    Attributes:
        cpu_s: user and system seconds of all threads and children.
        wall_s: seconds on the clock.
        peak_bytes: resident memory of the largest process.
    """

    cpu_s: float
    wall_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure of one run.

    Attributes:
        ratio: ours over the yardstick; smaller is better.
        goal: what the ratio is to stay below; None where only recorded.
    """

    figure: str
    what: str
    yardstick: str
    ours: float
    theirs: float
    unit: str
    goal: float | None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else float("nan")


def _cpu_s() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measured(work: Callable[[], object]) -> Usage:
    """Return what calling `work` in this process cost, finished children included."""
    cpu, wall = _cpu_s(), time.perf_counter()
    work()
    peak = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Usage(
        cpu_s=_cpu_s() - cpu, wall_s=time.perf_counter() - wall, peak_bytes=1024 * peak
    )


def measured_process(arguments: Sequence[str], *, env: dict[str, str] | None = None) -> Usage:
    """Return what a program cost from start to end.

    Raises:
        RuntimeError: it failed; the text holds the end of what it wrote.
    """
    wall = time.perf_counter()
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stderr is not None
        text = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments}: {process.returncode}: {text[-2000:].decode()}")
    return Usage(
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=time.perf_counter() - wall,
        peak_bytes=1024 * usage.ru_maxrss,
    )


def python_process(module: str, *arguments: str, env: dict[str, str] | None = None) -> Usage:
    """Return what `python -m module arguments` cost."""
    return measured_process([sys.executable, "-m", module, *arguments], env=env)


def tree_of_files(folder: Path, count: int, *, size_bytes: int = 64, width: int = 500) -> Path:
    """Make `count` small files with distinct contents below `folder`, `width` to a folder."""
    for first in range(0, count, width):
        part = folder / f"part-{first // width:05d}"
        part.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(first + width, count)):
            text = f"{number:012d}".encode()
            (part / f"note {number}.txt").write_bytes(text.ljust(size_bytes, b"."))
    return folder
