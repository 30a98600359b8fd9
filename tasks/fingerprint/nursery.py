"""The nursery as the pipeline sees it: a process of its own that forks parsing children."""

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from models.domain.errors import BrokenError
from tasks.fingerprint import wire

FILES_PER_CHILD = 50
"""Then it is replaced, so that what a parser leaks or breaks stays small (DESIGN D7)."""
WALL_FACTOR = 4
"""Wall-clock seconds a file may take for each processor second: a loaded machine is slow."""
START_S = 60.0
"""For loading the parsers: 0.6 s quiet, far more on a machine that starts everything at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use.

    Attributes:
        memory_bytes: address space.
        cpu_s: of one file.
        children: at a time.
        files: after which a child is replaced.
        prepares: module whose `open_engine` the nursery calls before it forks; "" for none.
    """

    memory_bytes: int
    cpu_s: int
    children: int
    files: int = FILES_PER_CHILD
    prepares: str = ""

    @property
    def wall_s(self) -> float:
        """Seconds after which a child counts as hanging."""
        return float(self.cpu_s * WALL_FACTOR)


@dataclass(slots=True)
class Child:
    """A child that is alive as far as we know."""

    channel: socket.socket
    pid: int
    nursery: "Nursery"
    served: int = 0


class Nursery:
    """One nursery process. Its calls are made under a lock: one question, one answer."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        package_root = Path(__file__).resolve().parents[2]
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tasks.fingerprint.child", str(there.fileno())],
                # Nothing of ours reaches a child: no secrets, no thread pools of numeric libraries.
                env={
                    "PYTHONPATH": os.fspath(package_root),
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                    "MALLOC_ARENA_MAX": "2",
                    "PYTHONHASHSEED": "0",
                    "LC_ALL": "C.UTF-8",
                },
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        self._control = here
        self._control.settimeout(START_S)
        self._lock = threading.Lock()
        self._await_ready()

    def _await_ready(self) -> None:
        try:
            ready = self._control.recv(256)
        except OSError as error:
            self.close()
            raise BrokenError("the parsing children could not be started in time") from error
        if not ready:
            status = self._process.wait()
            raise BrokenError(f"the parsing children could not be started (status {status})")

    def fork(self, limits: Limits, *, model: bool) -> Child:
        """Return a new child. Raises OSError or BrokenError when the nursery is gone."""
        ours, theirs = socket.socketpair()
        options = {
            "do": "fork",
            "model": model,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "files": limits.files,
            "prepares": limits.prepares,
        }
        with theirs, self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(options).encode()], [theirs.fileno()])
                answer = self._answer()
            except (OSError, BrokenError):
                ours.close()
                raise
        ours.settimeout(limits.wall_s)
        return Child(channel=ours, pid=int(answer["pid"]), nursery=self)

    def end(self, pid: int) -> tuple[int, int]:
        """Kill and reap a child; return the signal and the status it ended with."""
        with self._lock:
            self._control.sendall(json.dumps({"do": "end", "pid": pid}).encode())
            answer = self._answer()
        return int(answer["signal"]), int(answer["status"])

    def _answer(self) -> dict[str, int]:
        data = self._control.recv(4096)
        if not data:
            raise BrokenError("the parsing children's nursery ended")
        return wire.parse_document(data)

    def close(self) -> None:
        """End the nursery, and with it every child."""
        self._control.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
