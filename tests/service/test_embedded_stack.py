"""The whole embedded stack, with two small deployments: up, used, killed, up again, down."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from deploy.embedded import doctor, supervisor, worker
from deploy.embedded.addresses import Addresses, ensure_stack, export, running_stack
from deploy.embedded.control import stop_stack
from deploy.embedded.environment import STACK_MARK
from deploy.embedded.places import places_of
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.state import Phase, StackState, load
from deploy.embedded.status import stack_status
from models.domain.errors import BusyError, ConflictError
from models.settings import Settings

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(400)]

FLOWS = '''
import pathlib, time
from prefect import flow

@flow
def tiny(path: str):
    pathlib.Path(path).write_text("done")

@flow
def slow(path: str):
    """Sleeps in its first life, is done at once in its second."""
    log = pathlib.Path(path)
    with log.open("a") as file:
        file.write("started\\n")
    if log.read_text().count("started") == 1:
        time.sleep(600)
'''

PREFECT_YAML = """
name: tests
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $FILEORGANIZER_ROOT }}"
definitions:
  work_pool: &pool
    name: fileorganizer
    job_variables: {command: python -m prefect.engine}
deployments:
  - {name: tiny, entrypoint: small.py:tiny, work_pool: *pool}
  - {name: slow, entrypoint: small.py:slow, work_pool: *pool}
"""


@dataclass(frozen=True)
class Stack:
    settings: Settings
    addresses: Addresses
    api: PrefectApi

    @property
    def state(self) -> StackState:
        state = load(places_of(self.settings).state)
        assert state is not None
        return state

    def pids(self) -> dict[str, int | None]:
        return {each.name: each.process and each.process.pid for each in self.state.parts}

    def kill_supervisor(self) -> None:
        os.kill(self.state.supervisor.pid, signal.SIGKILL)
        eventually(lambda: not self.state.is_alive)

    def run(self, deployment: str, path: Path) -> str:
        found = self.api.find(f"/deployments/name/{deployment}/{deployment}")
        assert found is not None
        run = self.api._call(
            "POST",
            f"/deployments/{found['id']}/create_flow_run",
            {"parameters": {"path": str(path)}, "state": {"type": "SCHEDULED"}},
        )
        return str(run["id"])

    def run_state(self, run_id: str) -> str:
        run = self.api.find(f"/flow_runs/{run_id}")
        assert run is not None
        return str(run["state_type"])


def eventually(is_true: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def processes_of(settings: Settings) -> list[str]:
    """Every living process of a stack, however it is related to it."""
    home = str(settings.home_path)
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            ours = (
                process.environ().get(STACK_MARK) == home
                or f"{home}/postgres/cluster" in process.cmdline()
                or (
                    "deploy.embedded.supervisor" in process.cmdline()
                    and process.environ().get("FILEORGANIZER_HOME") == home
                )
            )
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def kinds(settings: Settings) -> dict[str, int]:
    """How many of each part live."""
    marks = {
        "supervisor": "deploy.embedded.supervisor",
        "server": "prefect server start",
        "worker": "worker start",
        "postgres": "/postgres/cluster",
    }
    running = processes_of(settings)
    return {name: sum(mark in line for line in running) for name, mark in marks.items()}


ONE_OF_EACH = {"supervisor": 1, "server": 1, "worker": 1, "postgres": 1}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not below pytest's private folders: Postgres runs as another user when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="fileorganizer-stack-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    root = folder / "root"
    root.mkdir()
    (root / "small.py").write_text(FLOWS)
    (root / "prefect.yaml").write_text(PREFECT_YAML)
    settings = Settings(home=folder / "home", prefect_port=0, lease_s=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FILEORGANIZER_ROOT", str(root))
        try:
            addresses = ensure_stack(settings, print)
            yield Stack(settings, addresses, PrefectApi(addresses.prefect_api_url))
        finally:
            stop_stack(settings, print)
    assert processes_of(settings) == []


def test_up_leaves_one_of_each_part_and_nothing_to_mend(stack: Stack) -> None:
    assert stack.state.phase is Phase.READY
    assert kinds(stack.settings) == ONE_OF_EACH
    found = {check.name: check.health for check in doctor.examine(stack.settings, os.environ)}
    assert doctor.Health.BROKEN not in found.values()
    for name in ("supervisor", "orphans", "postgres", "prefect", "worker", "deployments"):
        assert found[name] is doctor.Health.OK, name
    seen = stack_status(stack.settings, os.environ)
    assert seen.deployments == ("slow", "tiny")
    assert seen.is_worker_online
    assert all(part.is_running and part.memory_bytes for part in seen.parts)


def test_no_password_is_shown_or_written_down(stack: Stack) -> None:
    password = stack.addresses.database_url.split(":")[2].split("@")[0]
    home = stack.settings.home_path
    assert len(password) >= 32
    assert password not in repr(stack.addresses)
    assert password not in json.dumps(stack_status(stack.settings, {}).addresses)
    holders = [
        path.name
        for path in [home / "stack.json", *(home / "logs").iterdir()]
        if password in path.read_text()
    ]
    assert holders == []


def test_the_database_has_the_current_tables(stack: Stack) -> None:
    with psycopg.connect(stack.addresses.database_url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    assert row == (1,)


def test_the_ui_is_served_and_strangers_pages_may_not_call(stack: Stack) -> None:
    assert "<html" in httpx.get(stack.addresses.prefect_ui_url, follow_redirects=True).text.lower()
    for origin, allowed in (
        (stack.addresses.prefect_ui_url, stack.addresses.prefect_ui_url),
        ("http://evil.example", None),
    ):
        answer = httpx.get(f"{stack.addresses.prefect_api_url}/health", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_the_api_is_a_part_of_it_and_queries_become_vectors_on_a_private_socket(
    stack: Stack,
) -> None:
    url = stack.addresses.api_url
    assert url is not None

    def lives() -> bool:
        try:
            return httpx.get(f"{url}/v1/healthz").status_code == 200
        except httpx.TransportError:
            return False

    eventually(lives)
    assert {"api", "dispatcher", "query-service"} <= set(stack.pids())
    embedder = stack.settings.home_path / "embedder.sock"
    eventually(embedder.exists)
    assert embedder.stat().st_mode & 0o077 == 0


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = stack.pids()
    assert ensure_stack(stack.settings, print) == stack.addresses
    assert stack.pids() == before
    with pytest.raises(ConflictError, match="already runs"):
        supervisor.Supervisor(stack.settings, os.environ, print).run()
    assert stack.state.phase is Phase.READY
    assert kinds(stack.settings) == ONE_OF_EACH


def test_the_worker_runs_a_deployment_soon_after_it_was_submitted(
    stack: Stack, folder: Path
) -> None:
    started = time.monotonic()
    run = stack.run("tiny", folder / "tiny.txt")
    eventually((folder / "tiny.txt").exists)
    print(f"from submitting to the flow's body: {time.monotonic() - started:.1f} s")
    eventually(lambda: stack.run_state(run) == "COMPLETED")


def test_a_process_with_the_exported_environment_speaks_to_this_stack(stack: Stack) -> None:
    program = "from prefect.settings import get_current_settings as g; print(g().api.url, g().home)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath, **export(stack.addresses)},
        capture_output=True,
        text=True,
        check=True,
    )
    home = places_of(stack.settings).prefect
    assert done.stdout.split() == [stack.addresses.prefect_api_url, str(home)]


def test_a_killed_worker_is_replaced(stack: Stack) -> None:
    before = stack.pids()["worker"]
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.pids()["worker"] not in (None, before))
    eventually(lambda: kinds(stack.settings) == ONE_OF_EACH)
    assert [part.restarts for part in stack.state.parts if part.name == "worker"] == [1]


def test_a_killed_postgres_is_replaced_at_the_same_address(stack: Stack) -> None:
    before = stack.pids()["postgres"]
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.pids()["postgres"] not in (None, before))
    assert running_stack(stack.settings) == stack.addresses


def test_a_killed_supervisor_is_replaced_with_one_of_each_and_runs_resume(
    stack: Stack, folder: Path
) -> None:
    log = folder / "slow.txt"
    run = stack.run("slow", log)
    eventually(log.exists)
    eventually(lambda: stack.run_state(run) == "RUNNING")
    stack.kill_supervisor()
    assert ensure_stack(stack.settings, print) == stack.addresses
    assert kinds(stack.settings) == ONE_OF_EACH
    eventually(lambda: stack.run_state(run) == "COMPLETED")
    assert log.read_text() == "started\n" * 2


def test_an_orphan_of_a_killed_supervisor_is_found_and_only_it_is_ended(stack: Stack) -> None:
    """Also proves that a stranger with the same command line is left alone."""
    with (
        subprocess.Popen(["sleep", "300"], env={STACK_MARK: "/some/other/home"}) as stranger,
        subprocess.Popen(
            ["sleep", "300"], env={STACK_MARK: str(stack.settings.home_path)}
        ) as orphan,
    ):
        try:
            stack.kill_supervisor()
            assert stack_status(stack.settings, {}).phase is Phase.FAILED
            found = {each.name: each for each in doctor.examine(stack.settings, os.environ)}
            assert found["orphans"].health is doctor.Health.BROKEN
            assert str(orphan.pid) in found["orphans"].detail
            done = stop_stack(stack.settings, print)
            assert not done.was_running
            assert done.leftovers >= 1
            assert done.postgres_stopped
            orphan.wait(10)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            orphan.kill()
    assert processes_of(stack.settings) == []


def test_a_taken_port_is_named_and_nothing_is_left_running(stack: Stack) -> None:
    stop_stack(stack.settings, print)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = stack.settings.model_copy(update={"prefect_port": port})
        with pytest.raises(ConflictError, match=rf"{port} is taken.*FILEORGANIZER_PREFECT_PORT"):
            ensure_stack(settings, print)
    assert processes_of(stack.settings) == []


def test_a_command_in_the_foreground_stops_cleanly_on_ctrl_c(stack: Stack) -> None:
    """Started from what is on disk already: the deployments are not registered again."""
    registered = places_of(stack.settings).log("deploy").stat().st_mtime_ns
    program = (
        "import typer; from cli import stack; app = typer.Typer(); stack.register(app);"
        "app(['up', '--json'])"
    )
    environ = os.environ | {
        "FILEORGANIZER_HOME": str(stack.settings.home_path),
        "FILEORGANIZER_PREFECT_PORT": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        eventually(lambda: running_stack(stack.settings) is not None, timeout_s=120)
        assert stack.state.supervisor.pid == up.pid
        up.send_signal(signal.SIGINT)
        said, told = up.communicate(timeout=60)
    assert up.returncode == 0, told
    assert json.loads(said)["addresses"]["prefect_api_url"] == stack.addresses.prefect_api_url
    assert "stopping Postgres" in told
    assert places_of(stack.settings).log("deploy").stat().st_mtime_ns == registered
    assert processes_of(stack.settings) == []
    assert stack.state.phase is Phase.STOPPED


def test_down_when_nothing_runs_says_so(stack: Stack) -> None:
    done = stop_stack(stack.settings, print)
    assert (done.was_running, done.leftovers, done.postgres_stopped) == (False, 0, False)
    assert running_stack(stack.settings) is None
    with pytest.raises(BusyError, match="does not answer"):
        worker.last_heartbeat(stack.api)
