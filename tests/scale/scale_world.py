"""Several machines on one: Postgres, Redis, a Prefect server, and workers to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from redis_server import free_port, redis_server

from deploy.embedded.environment import LOGGING, QUIET, SERVER, WORKER, messaging
from deploy.embedded.prefect_api import PrefectApi
from models.settings import Settings
from tasks.ledger.ledger import Ledger, open_ledger

ROOT = Path(__file__).parents[2]
LEAD = "from flows.reindex import reindex; print(reindex())"


def eventually(is_true: Callable[[], Any], *, limit_s: float = 240) -> Any:
    """Return what `is_true` gives once it is something."""
    deadline = time.monotonic() + limit_s
    while not (found := is_true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


@dataclass
class Cluster:
    """Processes, each with its children in a group of its own: a machine's end is one kill."""

    env: dict[str, str]
    folder: Path
    api: PrefectApi
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logs: list[IO[bytes]] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(Settings())

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}-{len(self.logs)}.log").open("wb")
        self.logs.append(log)
        process = subprocess.Popen(
            [sys.executable, *command],
            env=self.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes[name] = process
        return process

    def worker(self, name: str, *, limit: int = 2) -> None:
        """Start a worker, as another machine would."""
        self.start(
            name,
            *("-m", "prefect", "--no-prompt", "worker", "start", "--pool", "fileorganizer"),
            *("--type", "process", "--name", name, "--limit", str(limit)),
            *("--install-policy", "never"),
        )

    def lead(self) -> subprocess.Popen[bytes]:
        """Start what visits all roots."""
        return self.start("lead", "-c", LEAD)

    def kill(self, name: str) -> None:
        """End a machine: the process and all that it started, at once."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def holder_in(self, name: str, pid: int) -> bool:
        """Whether a process belongs to a machine."""
        try:
            return os.getpgid(pid) == self.processes[name].pid
        except ProcessLookupError:
            return False

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """Return the runs of a flow."""
        return self.api.filter("flow_runs", {"flows": {"name": {"any_": [flow]}}})

    def close(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):  # it ended, and so did its children
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for log in self.logs:
            log.close()


@pytest.fixture
def cluster(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """A Prefect server with Redis messaging and every deployment registered; no worker yet."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    ours = {
        "FILEORGANIZER_DATABASE_URL": database_url,
        "FILEORGANIZER_LAKE_URL": str(tmp_path / "lake"),
        "FILEORGANIZER_HOME": str(tmp_path / "home"),
        "FILEORGANIZER_TEXT_MODEL": "off",
        "FILEORGANIZER_IMAGE_MODEL": "off",
        "FILEORGANIZER_LEASE_S": "5",
        "FILEORGANIZER_SWEEP_RUNS": "4",
        "FILEORGANIZER_BATCH_FILES": "50",
        "FILEORGANIZER_SHARD_FILES": "150",
        "FILEORGANIZER_ROOT": str(ROOT),
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml"),
        "PREFECT_SERVER_API_PORT": str(port),
    }
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "prefect").mkdir()
    with redis_server(tmp_path) as redis_url:
        env = {
            **os.environ,
            **QUIET,
            **LOGGING,
            **SERVER,
            **WORKER,
            **messaging(redis_url),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        made = Cluster(env=env, folder=tmp_path, api=PrefectApi(url))
        try:
            made.start("server", "-m", "prefect", "server", "start")
            eventually(made.api.is_healthy)
            made.api.create("work_pools", {"name": "fileorganizer", "type": "process"})
            deploy = made.start("deploy", "-m", "prefect", "--no-prompt", "deploy", "--all")
            assert deploy.wait(timeout=240) == 0
            del made.processes["deploy"]
            yield made
        finally:
            made.close()
