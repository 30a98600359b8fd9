"""Child processes of the supervisor: started, watched, restarted with patience, stopped."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from deploy.embedded.state import PartState, ProcessRef, reference

BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 60.0
HEALTHY_AFTER_S = 60.0
"""A child that lived this long starts over with the first, short wait."""

LOG_BYTES = 10_000_000
LOG_FILES = 5
KILL_WAIT_S = 5.0
PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""

_LIBC: ctypes.CDLL | None = ctypes.CDLL(None) if sys.platform == "linux" else None

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run, and how long it may take to stop.

    Args:
        name: Names the log, and the part in `fileorganizer status`.
        command: Program and arguments.
        environment: The whole environment.
        folder: Working directory.
        log: File that gets its output.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    grace_s: float = 15.0


class Child:
    """One supervised process, and its successors."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reference: ProcessRef | None = None
        self._started_s = 0.0
        self._failures = 0
        self._retry_at_s: float | None = None

    @property
    def is_running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; None while it runs or before the first."""
        return self._process.poll() if self._process else None

    @property
    def state(self) -> PartState:
        """What to write down about it."""
        return PartState(
            name=self.spec.name,
            process=self._reference if self.is_running else None,
            restarts=self.restarts,
            log=str(self.spec.log),
        )

    def start(self) -> None:
        """Start the process; its output is appended to its log.

        It leads its own process group, and on Linux the kernel sends it SIGTERM when we die in
        whatever way (DESIGN D9). Must be called from the main thread: the kernel watches the
        thread that forked.
        """
        parent = os.getpid()
        with self.spec.log.open("ab") as output:
            self._process = subprocess.Popen(
                list(self.spec.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.spec.folder,
                env=dict(self.spec.environment),
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 -- no threads fork here
            )
        self._started_s = time.monotonic()
        self._retry_at_s = None
        self._reference = reference(self._process.pid)
        _log.info("child.started", child=self.spec.name, pid=self._process.pid)

    def tend(self) -> bool:
        """Restart it when it has died and waited long enough; True if anything changed."""
        if self.is_running:
            self._rotate_log()
            return False
        now = time.monotonic()
        if self._retry_at_s is None:
            lived_s = now - self._started_s
            self._failures = 1 if lived_s > HEALTHY_AFTER_S else self._failures + 1
            wait_s = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** (self._failures - 1))
            self._retry_at_s = now + wait_s
            _log.warning(
                "child.died",
                child=self.spec.name,
                exit_code=self.exit_code,
                lived_s=round(lived_s, 1),
                restart_in_s=wait_s,
            )
            return True
        if now < self._retry_at_s:
            return False
        self.restarts += 1
        self.start()
        return True

    def stop(self) -> None:
        """Ask it to end, then make it, then end whatever it left behind."""
        if self._process is None:
            return
        family = descendants(self._process.pid)
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(self.spec.grace_s)
            except subprocess.TimeoutExpired:
                _log.warning("child.killed", child=self.spec.name, grace_s=self.spec.grace_s)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait(KILL_WAIT_S)
        end_processes(family, grace_s=KILL_WAIT_S)
        _log.info("child.stopped", child=self.spec.name, exit_code=self._process.returncode)

    def _rotate_log(self) -> None:
        """Copy a log that grew too large and empty it in place.

        The child appends through its own descriptor, so the file itself must stay.
        """
        log = self.spec.log
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size < LOG_BYTES:
                return
            for number in range(LOG_FILES - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    log.with_name(f"{log.name}.{number}").replace(f"{log}.{number + 1}")
            shutil.copyfile(log, f"{log}.1")
            os.truncate(log, 0)


def descendants(pid: int) -> list[psutil.Process]:
    """All living processes below one, nearest first; empty if it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def end_processes(processes: Sequence[psutil.Process], *, grace_s: float) -> int:
    """SIGTERM, a wait, SIGKILL; how many were still there at the start.

    psutil compares start times before it signals, so a number's next owner is safe.
    """
    living = [process for process in processes if process.is_running()]
    for process in living:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(living, timeout=grace_s)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=KILL_WAIT_S)
    return len(living)


def _signal_group(group: int, number: signal.Signals) -> None:
    """Signal a process group that may be empty already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _die_with(parent: int) -> None:
    """Between fork and exec: end when the supervisor does, even if it just did."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
