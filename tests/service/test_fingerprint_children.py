"""Parsing children: what they may not do, and what happens when one dies, hangs or eats memory."""

import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fingerprint_samples as samples
import pytest

from models.domain.fingerprint import Problem
from tasks.fingerprint import confinement
from tasks.fingerprint.children import Parsed, ParserPool
from tasks.fingerprint.nursery import Limits
from tasks.fingerprint.parsing import Request

LIMITS = Limits(memory_bytes=600_000_000, cpu_s=2, children=2)


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(LIMITS) as opened:
        yield opened


def ask(pool: ParserPool, data: bytes, kind: str = "image", label: str = "jpeg") -> Parsed:
    request = Request(kind=kind, label=label, size_bytes=len(data), thumbnail=True)
    return pool.parse(request, blob=data, fetch=lambda at, count: data[at : at + count])


def test_a_child_parses_and_the_model_answers(pool: ParserPool):
    parsed = ask(pool, samples.jpeg())
    assert (parsed.facts["width"], parsed.thumbnail[:4]) == (640, b"RIFF")
    assert pool.label(b"def f(x):\n    return x + 1\n\nimport os\nprint(os.getcwd())\n") == "python"


def test_many_threads_share_few_children_and_children_are_replaced():
    data = samples.jpeg(size=(64, 48))
    limits = Limits(memory_bytes=600_000_000, cpu_s=5, children=2, files=5)
    with ParserPool(limits) as pool, ThreadPoolExecutor(8) as threads:
        widths = list(threads.map(lambda _: ask(pool, data).facts["width"], range(60)))
        assert widths == [64] * 60
        assert pool.deaths == 0


def test_a_killed_child_costs_at_most_its_file(pool: ParserPool):
    ask(pool, samples.jpeg())
    child = pool._idle[False][-1]
    os.kill(child.pid, 9)
    assert ask(pool, samples.jpeg()).facts["width"] == 640


def test_a_killed_nursery_is_replaced():
    with ParserPool(LIMITS) as pool:
        ask(pool, samples.jpeg())
        assert pool._nursery is not None
        pool._nursery._process.kill()
        pool._nursery._process.wait()
        assert ask(pool, samples.jpeg()).facts["width"] == 640


def test_bombs_are_limited_and_the_next_file_is_fine(pool: ParserPool):
    limited = [
        ask(pool, samples.png_bomb(30_000), label="png"),
        ask(pool, samples.png_bomb(9_999), label="png"),
        ask(pool, samples.pdf_bomb(), kind="pdf", label="pdf"),
        ask(pool, samples.zip_bomb(), kind="zip", label="docx"),
        ask(pool, samples.entity_bomb(), kind="zip", label="docx"),
    ]
    assert Problem.LIMITED.is_kind_of(limited[0].facts["problem"])
    assert ask(pool, samples.jpeg()).facts["width"] == 640


def test_a_file_that_never_ends_is_given_up():
    limits = Limits(memory_bytes=600_000_000, cpu_s=1, children=1)
    data = samples.video()

    def endless(_at: int, count: int) -> bytes:
        return bytes(count)

    with ParserPool(limits) as pool:
        request = Request(kind="video", label="mp4", size_bytes=1 << 42)
        parsed = pool.parse(request, blob=data[:100], fetch=endless)
        assert parsed.facts.get("problem")


def _in_a_confined_process(what: str) -> int:
    """Run one statement confined; the exit status is 0 when it was refused."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        confinement.confine(400_000_000)
        exec(what, {"os": os, "socket": socket})  # noqa: S102 - the statements stand below
    except (OSError, MemoryError):
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside threads
@pytest.mark.skipif(sys.platform != "linux", reason="the system call filter is Linux's")
@pytest.mark.parametrize(
    "what",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "os.execv('/bin/true', ['true'])",
        "os.open('/tmp/written-by-a-parser', os.O_WRONLY | os.O_CREAT)",
        "os.unlink('/tmp/never-there')",
        "os.rename('/tmp/never-there', '/tmp/nor-there')",
        "os.kill(os.getppid(), 0)",
        "bytearray(900_000_000)",
    ],
)
def test_what_a_confined_process_may_not_do(what: str):
    if confinement.filter_program(os.uname().machine) is None:
        pytest.skip("no filter for this machine")
    assert _in_a_confined_process(what) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_nothing_secret_reaches_a_child(pool: ParserPool):
    ask(pool, samples.jpeg())
    assert pool._nursery is not None
    entries = Path(f"/proc/{pool._nursery._process.pid}/environ").read_bytes().split(b"\0")
    names = {entry.split(b"=")[0].decode() for entry in entries if entry}
    assert names <= {
        "PYTHONPATH", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX",
        "PYTHONHASHSEED", "LC_ALL",
    }  # fmt: skip
