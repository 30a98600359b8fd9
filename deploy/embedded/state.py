"""What the supervisor writes down, so that others (and its successor) know what runs."""

import contextlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.embedded.files import write_whole
from models.domain.errors import Kind

CLOCK_TOLERANCE_S = 2.0
"""A process' start time is counted from the boot time, which moves when the clock is set."""

POSTGRES = "postgres"
"""Name of the part that outlives a killed supervisor."""


class Phase(StrEnum):
    """Life of a stack."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ProcessRef(BaseModel):
    """One process, named so that its number's next owner is not mistaken for it."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started_at: float
    command: tuple[str, ...]

    def find(self) -> psutil.Process | None:
        """The process, if number, start time and command all still agree."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            is_same_start = abs(process.create_time() - self.started_at) < CLOCK_TOLERANCE_S
            is_zombie = process.status() == psutil.STATUS_ZOMBIE
            if is_same_start and not is_zombie and tuple(process.cmdline()) == self.command:
                return process
        return None


class PartState(BaseModel):
    """One supervised part."""

    model_config = ConfigDict(frozen=True)

    name: str
    process: ProcessRef | None
    restarts: int = 0
    log: str


class StackState(BaseModel):
    """The whole stack; the database's password is not in it."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    supervisor: ProcessRef
    phase: Phase
    step: str
    error: str | None = None
    error_kind: Kind | None = None
    postgres_dir: str | None = None
    prefect_api_url: str | None = None
    api_address: str | None = None
    lake: str
    parts: Sequence[PartState] = ()

    @property
    def is_alive(self) -> bool:
        """True if the supervisor that wrote this still runs."""
        return self.supervisor.find() is not None


def reference(pid: int) -> ProcessRef | None:
    """How to recognize a process later; None if it is gone already."""
    try:
        process = psutil.Process(pid)
        return ProcessRef(
            pid=pid, started_at=process.create_time(), command=tuple(process.cmdline())
        )
    except psutil.Error:
        return None


def load(path: Path) -> StackState | None:
    """The state last written, or None if there is none that this version reads."""
    try:
        return StackState.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def save(path: Path, state: StackState) -> None:
    """Replace the state; readers see the old or the new one."""
    write_whole(path, state.model_dump_json(indent=2) + "\n", mode=0o600)
