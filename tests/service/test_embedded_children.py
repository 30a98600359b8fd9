"""Children of the supervisor: restarted with patience, stopped with all they started, rotated."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.embedded import children
from deploy.embedded.addresses import settings_environment, sqlalchemy_url
from deploy.embedded.children import Child, ChildSpec
from deploy.embedded.files import write_whole
from deploy.embedded.state import ProcessRef, reference
from models.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("embedded")]

PARENT = (
    "import subprocess, sys, time;"
    "print(subprocess.Popen(['sleep', '300']).pid, flush=True); time.sleep(300)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(300)"
)


def spec(tmp_path: Path, *command: str, grace_s: float = 5.0) -> ChildSpec:
    return ChildSpec(
        name="child",
        command=command,
        environment=dict(os.environ),
        folder=tmp_path,
        log=tmp_path / "child.log",
        grace_s=grace_s,
    )


def eventually(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stopping_ends_grandchildren_too(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, sys.executable, "-c", PARENT))
    child.start()
    eventually(lambda: bool(child.spec.log.read_text().strip()))
    grandchild = psutil.Process(int(child.spec.log.read_text()))
    child.stop()
    assert not child.is_running
    assert not grandchild.is_running()


def test_a_deaf_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, sys.executable, "-c", STUBBORN, grace_s=0.3))
    child.start()
    eventually(lambda: "deaf" in child.spec.log.read_text())
    child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_keeps_dying_is_restarted_ever_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "BACKOFF_FIRST_S", 0.2)
    child = Child(spec(tmp_path, "sh", "-c", "date +%s.%N"))
    child.start()

    def tended() -> bool:
        child.tend()
        return child.restarts == 3

    eventually(tended)
    eventually(lambda: len(child.spec.log.read_text().split()) == 4)
    moments = [float(line) for line in child.spec.log.read_text().split()]
    waits = [after - before for before, after in itertools.pairwise(moments)]
    assert waits[0] >= 0.2
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path;"
        "from deploy.embedded.children import Child, ChildSpec; here = Path(sys.argv[1]);"
        "child = Child(ChildSpec(name='c', command=('sleep', '300'), environment=dict(os.environ),"
        " folder=here, log=here / 'c.log')); child.start();"
        "(here / 'pid').write_text(f'{child.state.process.pid}.'); time.sleep(300)"
    )
    said = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as parent:
        try:
            eventually(lambda: said.exists() and said.read_text().endswith("."))
            child = psutil.Process(int(said.read_text().rstrip(".")))
            assert child.is_running()
        finally:
            parent.kill()
    eventually(lambda: not child.is_running())


def test_a_large_log_is_rotated_under_a_writing_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOG_BYTES", 1000)
    child = Child(spec(tmp_path, "sh", "-c", "while :; do echo 0123456789; sleep 0.001; done"))
    child.start()
    log = child.spec.log

    def rotated() -> bool:
        child.tend()
        return Path(f"{log}.{children.LOG_FILES}").exists()

    eventually(rotated)
    child.tend()
    child.stop()
    assert not Path(f"{log}.{children.LOG_FILES + 1}").exists()
    for number in range(1, children.LOG_FILES + 1):
        part = Path(f"{log}.{number}").read_text()
        assert len(part) >= 1000
        assert set(part.split()) == {"0123456789"}  # appended, without holes


def test_a_number_that_another_process_got_is_not_taken_for_ours() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        ours = reference(process.pid)
        assert ours is not None
        assert ours.find() is not None
        for stranger in (
            ours.model_copy(update={"started_at": ours.started_at - 3600}),
            ours.model_copy(update={"command": ("sleep", "61")}),
        ):
            assert stranger.find() is None
        process.kill()
    assert ours.find() is None
    assert ProcessRef(pid=2**22 + 1, started_at=0.0, command=()).find() is None


def test_a_file_is_written_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_whole(path, "one", mode=0o600)
    write_whole(path, "two", mode=0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_settings_reach_a_child_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FILEORGANIZER_")]:
        monkeypatch.delenv(name)
    given = Settings(
        home=tmp_path,
        prefect_port=0,
        database_url="postgresql://me:secret@db/files",
        lease_s=2.5,
        allowed_folders=(tmp_path / "one", tmp_path / "another"),
        allowed_endpoints=("http://127.0.0.1:9000", "https://minio.example.com"),
    )
    for name, value in settings_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert given.database_url is not None
    assert sqlalchemy_url(given.database_url) == "postgresql+psycopg://me:secret@db/files"
