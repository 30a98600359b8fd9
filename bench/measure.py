"""How a figure is measured: CPU seconds of processes as the kernel counts them, and ratios."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil


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


def peak_bytes() -> int:
    """Return the most memory that this process, or one of its finished children, ever held."""
    return 1024 * max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def own_peak_bytes() -> int:
    """Return the most memory that this process alone ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measured(work: Callable[[], object]) -> Usage:
    """Return what calling `work` in this process cost, finished children included."""
    cpu, wall = _cpu_s(), time.perf_counter()
    work()
    return Usage(cpu_s=_cpu_s() - cpu, wall_s=time.perf_counter() - wall, peak_bytes=peak_bytes())


def measured_process(arguments: Sequence[str], *, env: dict[str, str] | None = None) -> Usage:
    """Return what a program cost from start to end.

    Raises:
        RuntimeError: it failed; the text holds the end of what it wrote.
    """
    wall = time.perf_counter()
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stderr is not None  # noqa: S101 - a pipe was asked for
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


def _tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, its living descendants, and those they reaped."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


class Meter:
    """Counts CPU seconds of this process' tree, and of servers beside it, while a body runs.

    Unlike `measured` it counts children that still live. The kernel counts in steps of 10 ms.

    Args:
        servers: ids of processes that work for us outside our tree (Postgres, the stack).

    Attributes:
        own_s: CPU seconds of this process and its descendants.
        servers_s: CPU seconds of the servers and theirs.
        wall_s: seconds on the clock.
    """

    def __init__(self, *servers: int) -> None:
        self._servers = servers
        self.own_s = self.servers_s = self.wall_s = 0.0

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all of them."""
        return self.own_s + self.servers_s

    def _read(self) -> tuple[float, float, float]:
        servers = sum(_tree_cpu_s(pid) for pid in self._servers)
        return _tree_cpu_s(os.getpid()), servers, time.perf_counter()

    def __enter__(self) -> Self:
        self._start = self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.own_s, self.servers_s, self.wall_s = (
            now - then for now, then in zip(self._read(), self._start, strict=True)
        )


def tree_of_files(folder: Path, count: int, *, size_bytes: int = 64, width: int = 500) -> Path:
    """Make `count` small files with distinct contents below `folder`, `width` to a folder."""
    for first in range(0, count, width):
        part = folder / f"part-{first // width:05d}"
        part.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(first + width, count)):
            text = f"{number:012d}".encode()
            (part / f"note {number}.txt").write_bytes(text.ljust(size_bytes, b"."))
    return folder
