"""Publishers in processes of their own: at once, killed for real, on disk and on S3."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from warehouse_runs import rows_of_run, sound, stage

from models.domain.errors import BusyError, CorruptError, MissingError
from warehouse.asking import ask
from warehouse.store.parts import open_lake
from warehouse.store.publishing import publish, settled

pytestmark = pytest.mark.service

PUBLISHER = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from warehouse_runs import rows_of_run, sound, stage
from warehouse.store.parts import open_lake
from warehouse.store.publishing import publish

lake = open_lake(sys.argv[2], s3_endpoint_url=sys.argv[3] or None)
runs, start, deadly = sys.argv[4].split(","), float(sys.argv[5]), int(sys.argv[6])
staged = [stage(lake, rows_of_run(run), run) for run in runs]
steps = iter(range(10**6))

def step(name):
    if next(steps) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

time.sleep(max(0.0, start - time.time()))
for run in staged:
    print(publish(lake, run, sound(lake), on_step=step).status, flush=True)
"""
TESTS = str(Path(__file__).parents[1])


def publisher(lake, runs, *, start=0.0, deadly=-1):
    arguments = [lake.url, lake.s3_endpoint_url or "", ",".join(runs), str(start), str(deadly)]
    return subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, TESTS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def finished(processes):
    """What each printed, once all have ended, so that none outlives a failure of another."""
    said = [process.communicate(timeout=240) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    return [printed.split() for printed, _ in said]


def rows(lake):
    counted = (
        "SELECT (SELECT count(*) FROM dim_file), (SELECT count(*) FROM fact_operation), "
        "(SELECT count(*) FROM fact_event), (SELECT count(*) FROM published_runs)"
    )
    return ask(lake, counted).rows[0]


@pytest.fixture(params=["disk", "s3"])
def lake(request, tmp_path):
    if request.param == "disk":
        return open_lake(str(tmp_path))
    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = request.getfixturevalue("s3_bucket")
    return open_lake(f"s3://{bucket}/lake", s3_endpoint_url=endpoint)


def test_publishers_at_once_lose_nothing(lake):
    start = time.time() + 8
    names = [[f"run-{who}-{n}" for n in range(3)] for who in "abc"]
    processes = [publisher(lake, runs, start=start) for runs in names]
    assert finished(processes) == [["published"] * 3] * 3
    assert rows(lake) == (9 * 5, 9 * 5, 9 * 3, 9)


def test_one_run_published_by_several_at_once_is_there_once(lake):
    start = time.time() + 8
    processes = [publisher(lake, ["run-1", "run-2"], start=start) for _ in range(3)]
    assert finished(processes) == [["published"] * 2] * 3
    assert rows(lake) == (2 * 5, 2 * 5, 2 * 3, 2)


@pytest.mark.parametrize("deadly", [2, 7])
def test_a_publisher_killed_for_real_is_followed_by_one_copy(lake, deadly):
    publish(lake, stage(lake, rows_of_run("run-0"), "run-0"), sound(lake))
    killed = publisher(lake, ["run-1"], deadly=deadly)
    killed.communicate(timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert rows(lake) == (5, 5, 3, 1)
    assert settled(lake, "run-1") is None
    publish(lake, stage(lake, rows_of_run()), sound(lake))
    assert rows(lake) == (10, 10, 6, 2)


def test_parts_and_blobs_on_any_lake(lake):
    run = stage(lake, rows_of_run())
    ref = run.tables["dim_file"]
    assert lake.find(ref.uri) == ref
    assert lake.read(ref).num_rows == 5
    assert lake.find("runs/none.parquet") is None
    lake.write_blob("state.json", b"one")
    lake.write_blob("state.json", b"two")
    assert lake.read_blob("state.json") == b"two"
    lake.write_blob(ref.uri, b"torn")
    assert lake.find(ref.uri) is None
    with pytest.raises(CorruptError):
        lake.read(ref)
    with pytest.raises(MissingError):
        lake.read_blob("nothing")


def test_an_s3_that_does_not_answer_is_busy(s3_bucket):
    lake = open_lake("s3://bucket/lake", s3_endpoint_url="http://127.0.0.1:9")
    with pytest.raises(BusyError):
        lake.read_blob("x")
