"""From the outbox to Prefect: once each, whatever dies in between."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import psycopg
import pytest

from api.runs import dispatcher as dispatching
from api.runs.dispatcher import Dispatcher
from api.runs.launcher import launch
from models.domain.errors import BrokenError, BusyError, MissingError
from models.domain.jobs import Job, JobKind, JobStatus
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

API = "http://127.0.0.1:1/api"


class Prefect:
    """A launcher that keeps one run for an idempotency key, as Prefect does."""

    def __init__(self):
        self.runs = {}
        self.calls = 0
        self.errors = []
        self.pause_s = 0.0
        self.called = asyncio.Event()

    async def __call__(self, deployment, job_id, *, api_url, launch_no):
        assert api_url == API
        self.calls += 1
        await asyncio.sleep(self.pause_s)
        if self.errors:
            raise self.errors.pop(0)
        key = (deployment, f"{job_id}-{launch_no}")
        run = self.runs.setdefault(key, str(uuid.uuid4()))
        self.called.set()
        return run

    def keys(self):
        return sorted(key for _, key in self.runs)


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def new_job(ledger, **options):
    root = ledger.root_for("file:///in")
    job = Job(
        id=str(uuid.uuid4()),
        kind=JobKind.ORGANIZE,
        account_id=None,
        status=JobStatus.PENDING,
        source_url=root.url,
        destination_url=root.url,
        source_root_id=root.id,
        destination_root_id=root.id,
    )
    return ledger.create_job(job, **options)


def dispatch(url, prefect, *, rounds=1):
    """Run `rounds` of a dispatcher and return what each settled."""

    async def work():
        dispatcher = Dispatcher(url, api_url=API, launcher=prefect)
        try:
            return [(await dispatcher.relaunch(), await dispatcher.drain()) for _ in range(rounds)]
        finally:
            await dispatcher.close()

    return asyncio.run(work())


def make_due(connection):
    connection.execute("UPDATE outbox_events SET next_attempt_at = now() - interval '1 second'")
    connection.execute("UPDATE organization_jobs SET relaunch_after = NULL")


def kill_worker(ledger, job):
    """What a worker leaves behind that took the job and died."""
    ledger.acquire_lease(job.id, f"w{uuid.uuid4()}", -1)


def test_a_job_and_its_launch_are_written_together_or_not_at_all(ledger, connection):
    job = new_job(ledger, launch=True)
    with pytest.raises(Exception, match="refuses"):
        ledger.create_job(job, launch=True)
    rows = connection.execute("SELECT job_id::text, launch_no, payload FROM outbox_events")
    assert rows.fetchall() == [(job.id, 1, {"deployment": "organize/organize"})]


def test_a_launch_arrives_once_and_its_run_is_remembered(ledger, connection, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True, deployment="enact/enact")
    quiet = new_job(ledger)
    assert dispatch(database_url, prefect, rounds=2) == [(0, 1), (0, 0)]
    assert list(prefect.runs) == [("enact/enact", f"{job.id}-1")]
    run = connection.execute(
        "SELECT prefect_flow_run_id::text FROM organization_jobs WHERE id = %s", [job.id]
    ).fetchone()
    assert run == (prefect.runs["enact/enact", f"{job.id}-1"],)
    ledger.launch(quiet.id)
    ledger.launch(quiet.id)
    dispatch(database_url, prefect)
    assert prefect.calls == 3


def test_two_dispatchers_at_once_launch_each_job_once(ledger, database_url):
    prefect = Prefect()
    prefect.pause_s = 0.01
    jobs = [new_job(ledger, launch=True) for _ in range(20)]

    async def both():
        pair = [Dispatcher(database_url, api_url=API, launcher=prefect) for _ in range(2)]
        counts = await asyncio.gather(*(one.drain() for one in pair))
        await asyncio.gather(*(one.close() for one in pair))
        return counts

    counts = asyncio.run(both())
    assert sum(counts) == prefect.calls == 20
    assert min(counts) > 0
    assert prefect.keys() == sorted(f"{job.id}-1" for job in jobs)


def test_killed_between_launch_and_commit_there_is_still_one_run(ledger, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)

    async def die(deployment, job_id, **options):
        await prefect(deployment, job_id, **options)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatch(database_url, die)
    assert dispatch(database_url, prefect) == [(0, 1)]
    assert prefect.calls == 2
    assert prefect.keys() == [f"{job.id}-1"]


def test_while_prefect_is_away_a_job_waits_and_is_never_given_up(ledger, connection, database_url):
    prefect = Prefect()
    prefect.errors = [BusyError("away")] * 12
    job = new_job(ledger, launch=True)
    for _ in range(12):
        dispatch(database_url, prefect)
        make_due(connection)
    assert ledger.job(job.id).status is JobStatus.PENDING
    dispatch(database_url, prefect)
    assert prefect.keys() == [f"{job.id}-1"]


def test_the_wait_doubles_up_to_a_minute(ledger, connection, database_url):
    prefect = Prefect()
    prefect.errors = [BusyError("away")] * 8
    new_job(ledger, launch=True)
    waits = []
    for _ in range(8):
        dispatch(database_url, prefect)
        wait = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM outbox_events"
        waits.append(float(connection.execute(wait).fetchone()[0]))
        make_due(connection)
    for wait, expected in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert expected - 5 < wait <= expected


@pytest.mark.parametrize("error", [MissingError("no deployment"), BrokenError("400"), KeyError(1)])
def test_a_launch_that_is_refused_fails_its_job_after_some_attempts(
    ledger, connection, database_url, error
):
    prefect = Prefect()
    prefect.errors = [error] * 99
    job = new_job(ledger, launch=True)
    for _ in range(dispatching.MAX_REFUSALS):
        assert ledger.job(job.id).status is JobStatus.PENDING
        dispatch(database_url, prefect)
        make_due(connection)
    failed = ledger.job(job.id)
    assert failed.status is JobStatus.FAILED
    assert "could not be launched" in (failed.error or "")
    assert [event.kind for event in ledger.events(job.id)] == ["job:complete"]
    assert dispatch(database_url, prefect) == [(0, 0)]


def test_a_job_canceled_before_its_launch_is_not_launched(ledger, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    ledger.request_cancel(job.id)
    assert dispatch(database_url, prefect) == [(0, 1)]
    assert prefect.calls == 0
    ledger.launch(job.id)
    dispatch(database_url, prefect)
    assert prefect.keys() == [f"{job.id}-2"]


@pytest.mark.scenario(15)
def test_a_job_whose_worker_died_is_launched_again(ledger, connection, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    alone = new_job(ledger)  # never launched: somebody runs it in a terminal
    dispatch(database_url, prefect)
    for one in (job, alone):
        kill_worker(ledger, one)
        ledger.set_status(one.id, JobStatus.RUNNING)
    assert dispatch(database_url, prefect, rounds=2) == [(1, 1), (0, 0)]
    assert prefect.keys() == [f"{job.id}-1", f"{job.id}-2"]
    epoch = ledger.acquire_lease(job.id, "next", 30)
    connection.execute("UPDATE organization_jobs SET relaunch_after = NULL")
    assert dispatch(database_url, prefect) == [(0, 0)]
    ledger.set_status(job.id, JobStatus.COMPLETED, epoch=epoch)
    ledger.release_lease(job.id, "next", epoch)
    assert dispatch(database_url, prefect) == [(0, 0)]


def test_a_worker_that_was_terminated_hands_its_job_on(ledger, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    dispatch(database_url, prefect)
    epoch = ledger.acquire_lease(job.id, "w", 30)
    ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.release_lease(job.id, "w", epoch)
    assert dispatch(database_url, prefect) == [(1, 1)]


def test_a_job_that_waits_for_its_approval_is_left_alone(ledger, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    dispatch(database_url, prefect)
    epoch = ledger.acquire_lease(job.id, "w", 30)
    ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.set_status(job.id, JobStatus.PENDING)
    ledger.release_lease(job.id, "w", epoch)
    assert dispatch(database_url, prefect) == [(0, 0)]


def test_a_job_that_kills_its_workers_fails_in_the_end(ledger, connection, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    dispatch(database_url, prefect)
    kill_worker(ledger, job)
    ledger.set_status(job.id, JobStatus.RUNNING)
    for _ in range(dispatching.MAX_RELAUNCHES):
        assert dispatch(database_url, prefect) == [(1, 1)]
        assert dispatch(database_url, prefect) == [(0, 0)], "the next launch waits"
        kill_worker(ledger, job)
        make_due(connection)
    assert dispatch(database_url, prefect) == [(1, 0)]
    failed = ledger.job(job.id)
    assert (failed.status, failed.error) == (
        JobStatus.FAILED,
        "its worker died 6 times without progress",
    )
    assert len(prefect.runs) == 1 + dispatching.MAX_RELAUNCHES


def test_progress_between_deaths_starts_the_count_anew(ledger, connection, database_url):
    prefect = Prefect()
    job = new_job(ledger, launch=True)
    dispatch(database_url, prefect)
    kill_worker(ledger, job)
    ledger.set_status(job.id, JobStatus.RUNNING)
    for step in range(2 * dispatching.MAX_RELAUNCHES):
        ledger.set_progress(job.id, phase="p", progress_ratio=(step + 1) / 20)
        assert dispatch(database_url, prefect) == [(1, 1)]
        make_due(connection)
    assert ledger.job(job.id).status is JobStatus.RUNNING


def test_the_loop_wakes_at_a_notification_and_stops_when_told(ledger, database_url):
    prefect = Prefect()

    async def work():
        stop = asyncio.Event()
        dispatcher = Dispatcher(database_url, api_url=API, launcher=prefect, poll_s=60)
        running = asyncio.create_task(dispatcher.run(stop))
        await asyncio.sleep(1)  # it listens by now, and would poll in a minute
        job = await asyncio.to_thread(new_job, ledger, launch=True)
        await asyncio.wait_for(prefect.called.wait(), 20)
        stop.set()
        await asyncio.wait_for(running, 20)
        return job

    job = asyncio.run(work())
    assert prefect.keys() == [f"{job.id}-1"]


class PrefectServer(BaseHTTPRequestHandler):
    """The few answers of Prefect's API that a launch needs; runs are kept by idempotency key."""

    status = 200

    def do_GET(self):
        if "/csrf-token" in self.path:
            self.answer(422, {"detail": "CSRF protection is disabled."})
        elif "/deployments/name/organize/organize" in self.path:
            deployment = {"id": str(uuid.UUID(int=1)), "name": "organize", "flow_id": UUID}
            self.answer(self.status, deployment)
        elif "/deployments/name/" in self.path:
            self.answer(404, {"detail": "Deployment not found"})
        else:
            self.answer(200, "3.8.8")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        runs = self.server.runs
        self.server.called.set()
        run = runs.setdefault(body["idempotency_key"], {"id": str(uuid.uuid4()), **body})
        self.answer(201, {"id": run["id"], "flow_id": UUID, "name": "n", "parameters": {}})

    def answer(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


UUID = str(uuid.UUID(int=2))


@pytest.fixture
def prefect_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), PrefectServer)
    server.runs, server.called = {}, Event()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url_of(server):
    return f"http://127.0.0.1:{server.server_port}/api"


def test_a_launch_speaks_to_prefect_and_again_finds_the_same_run(prefect_server):
    url = url_of(prefect_server)
    first, again, other = (
        asyncio.run(launch("organize/organize", "j1", api_url=url, launch_no=number))
        for number in (1, 1, 2)
    )
    assert first == again != other
    assert set(prefect_server.runs) == {"j1-1", "j1-2"}
    assert prefect_server.runs["j1-1"]["parameters"] == {"job_id": "j1"}


def test_what_prefect_refuses_is_told_apart_from_prefect_being_away(prefect_server):
    with pytest.raises(MissingError, match="prefect deploy --all"):
        asyncio.run(launch("nobody/knows", "j1", api_url=url_of(prefect_server)))
    with pytest.raises(BusyError, match="does not answer"):
        asyncio.run(launch("organize/organize", "j1", api_url=API))


def test_the_process_stops_cleanly_at_sigterm(ledger, database_url, prefect_server):
    job = new_job(ledger, launch=True)
    environment = {
        **os.environ,
        "FILEORGANIZER_DATABASE_URL": database_url,
        "FILEORGANIZER_PREFECT_API_URL": url_of(prefect_server),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "api.runs.dispatcher"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert prefect_server.called.wait(120)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "job.launched" in said
    assert "dispatcher.stopped" in said
    assert set(prefect_server.runs) == {f"{job.id}-1"}


def test_without_a_database_the_process_says_what_to_do():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FILEORGANIZER_")}
    done = subprocess.run(
        [sys.executable, "-m", "api.runs.dispatcher"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "fileorganizer up" in done.stderr
