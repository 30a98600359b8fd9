"""The whole stack, once a session: Postgres, a Prefect server, a worker, the dispatcher."""

import hashlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.addresses import running_stack
from models.settings import Settings
from tasks.ledger.ledger import Ledger

PROGRAM = Path(sys.executable).parent / "fileorganizer"
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data"

Facts = dict[str, tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Command:
    """Runs the command line against the session's stack."""

    env: dict[str, str]
    extra: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A `--json` call under way; killed at the exit when it still runs."""
        with subprocess.Popen(
            [str(PROGRAM), *arguments, "--json"],
            env={**self.env, **self.extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def __call__(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run a `--json` call to its end and return its document."""
        with self.started(*arguments) as process:
            out, err = process.communicate(timeout=280)
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        document: dict[str, Any] = json.loads(out)
        return document

    def typed(self, *arguments: str, prompt: str, answers: Sequence[str]) -> str:
        """Run a call at a terminal, answer each prompt, and return what was shown."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [str(PROGRAM), *arguments],
            env={**self.env, **self.extra, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown, left = "", list(answers)
        try:
            while piece := _read(ours):
                shown += piece
                if left and shown.count(prompt) > len(answers) - len(left):
                    os.write(ours, f"{left.pop(0)}\n".encode())
            assert process.wait(timeout=60) == 0, shown
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        assert not left, shown
        return shown


def _read(terminal: int) -> str:
    """Return what comes next; nothing at the end, which Linux tells as an error."""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        return ""


@pytest.fixture(scope="session")
def stack(open_folder: Path) -> Iterator[dict[str, str]]:
    """Environment of a running stack; stopped at the end of the session.

    While writing tests, `FILEORGANIZER_TEST_HOME` names the home of a stack that runs already.
    """
    running = os.environ.get("FILEORGANIZER_TEST_HOME")
    env = {
        **os.environ,
        "FILEORGANIZER_HOME": running or str(open_folder / "stack"),
        "FILEORGANIZER_PREFECT_PORT": "0",
        "FILEORGANIZER_API_PORT": "0",
        "FILEORGANIZER_ALLOWED_FOLDERS": str(open_folder / "allowed"),
        "FILEORGANIZER_LEASE_S": "6",
        "FILEORGANIZER_BATCH_FILES": "400",
        "FILEORGANIZER_SHARD_FILES": "1000",
    }
    for name in ("PREFECT_API_URL", "FILEORGANIZER_DATABASE_URL"):
        env.pop(name, None)
    env.pop("FILEORGANIZER_TEST_HOME", None)
    subprocess.run([str(PROGRAM), "up", "--detach"], env=env, check=True, timeout=420)
    yield env
    if running:
        return
    subprocess.run([str(PROGRAM), "down"], env=env, check=True, timeout=120)


@pytest.fixture
def command(stack: dict[str, str]) -> Command:
    """The command line, as a person would use it."""
    return Command(env=stack)


def facts_of(folder: Path) -> Facts:
    """Return sha256 and mtime in ns of every file below `folder`, ours excluded."""
    facts: Facts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != ".fileorganizer":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts[str(name)] = (digest, path.stat().st_mtime_ns)
    return facts


def contents_of(folder: Path) -> list[str]:
    """Return the multiset of content hashes below `folder`, the trash included."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


@pytest.fixture
def ledger(stack: dict[str, str]) -> Ledger:
    """The stack's ledger, for looking faster than a command starts."""
    addresses = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert addresses is not None
    return Ledger(addresses.database_url)
