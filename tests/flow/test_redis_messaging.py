"""A Prefect server whose events go through Redis: no task run is forgotten in a burst."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from redis_server import free_port, redis_server

from deploy.embedded.places import places_of
from deploy.embedded.prefect_api import PrefectApi
from deploy.embedded.prefect_server import server_spec
from models.settings import Settings

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(400)]

TASKS = 300
BURST = f"""
from prefect import flow, task
from prefect.concurrency.sync import concurrency
from prefect.task_runners import ThreadPoolTaskRunner

@task
def nothing(number: int) -> int:
    return number

@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def burst() -> None:
    with concurrency("burst", occupy=1):
        for future in [nothing.submit(number) for number in range({TASKS})]:
            future.result()

from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    client.upsert_global_concurrency_limit_by_name("burst", 1)
burst()
"""


def wait_for(is_there, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while not is_there():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_burst_of_task_runs_is_recorded_whole_through_redis(tmp_path: Path):
    places = places_of(Settings(home=tmp_path))
    places.make()
    port = free_port()
    with redis_server(tmp_path) as url:
        spec = server_spec(places, os.environ, port, redis_url=url)
        api = PrefectApi(f"http://127.0.0.1:{port}/api")
        with (
            spec.log.open("wb") as log,
            subprocess.Popen(
                spec.command, env=spec.environment, cwd=spec.folder, stdout=log, stderr=log
            ) as server,
        ):
            try:
                wait_for(api.is_healthy, server)
                subprocess.run(
                    [sys.executable, "-c", BURST],
                    env={**spec.environment, "PREFECT_API_URL": api.url},
                    check=True,
                    timeout=200,
                    capture_output=True,
                )

                def recorded() -> int:
                    filters = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
                    return api._call("POST", "/task_runs/count", filters)

                wait_for(lambda: recorded() == TASKS, server)
                with redis.Redis.from_url(url, decode_responses=True) as client:
                    streams = set(client.scan_iter(_type="stream"))
                assert any("events" in name for name in streams), streams
            finally:
                server.terminate()
                server.wait(timeout=60)
        assert "bulk DML" not in spec.log.read_text()
