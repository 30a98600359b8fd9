"""Live events: by Socket.IO and as a stream; in order, without gaps, to their owner alone."""

import json
import shutil
import subprocess
import uuid
from datetime import timedelta
from types import SimpleNamespace

import httpx
import pytest
import socketio
from api_world import api_settings, database_url_of, newcomer, sql
from live_world import served, until
from starlette.testclient import TestClient

from api.app import create_app
from models.domain.jobs import Job, JobKind, JobStatus
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

ORIGIN = "https://app.example"
COUNTERS = {"files_processed", "files_moved", "duplicates_found", "errors_count"}


@pytest.fixture
def world(tmp_path, database_url):
    """A served API, somebody, and the pipeline's ledger."""
    app = create_app(api_settings(tmp_path / "home", database_url, api_origins=ORIGIN))
    api = TestClient(app)  # not entered: the server runs the app, this only makes people
    with served(app) as url:
        ledger = Ledger(database_url_of(api))
        yield SimpleNamespace(app=app, api=api, url=url, ledger=ledger, who=newcomer(api))
        close_pools()


class Listener:
    """A client of Socket.IO that keeps what it is told."""

    def __init__(
        self, world, token, *, last=None, transports=("websocket",), headers=None, refusals=()
    ):
        self.told = []
        self.is_gone = False
        # Its own address is no origin of a page.
        quiet = {"suppress_origin": True}
        self.client = socketio.Client(reconnection=False, websocket_extra_options=quiet)
        for found in refusals:
            self.client.on("connect_error", found.append)
        for name in ("job:progress", "job:complete", "notification"):
            self.client.on(name, lambda data, name=name: self.told.append((name, data)))
        self.client.on("disconnect", self._gone)
        auth = {"token": token} | ({"last": last} if last else {})
        self.client.connect(
            world.url, auth=auth, transports=list(transports), headers=headers or {}
        )

    def _gone(self, *_reason):
        self.is_gone = True

    def leave(self):
        # A poll that waits would be waited for.
        self.client.eio.disconnect(abort=True)

    def events(self, job_id):
        return [
            (name, data["seq"])
            for name, data in list(self.told)
            if name != "notification" and data["job_id"] == job_id
        ]


@pytest.fixture
def listen(world):
    opened = []

    def connect(token=None, **given):
        listener = Listener(world, token or world.who.token, **given)
        opened.append(listener)
        return listener

    yield connect
    for listener in opened:
        listener.leave()


def new_job(world, who=None, kind=JobKind.ORGANIZE):
    who = who or world.who
    root = world.ledger.root_for(f"file:///{uuid.uuid4()}", account_id=who.id).id
    job = Job(
        id=str(uuid.uuid4()),
        kind=kind,
        account_id=who.id,
        status=JobStatus.PENDING,
        source_url="file:///secret-place",
        destination_url="file:///secret-place",
        source_root_id=root,
        destination_root_id=root,
    )
    world.ledger.create_job(job, launch=False)
    return job.id


def run(world, job_id, *ratios, end=JobStatus.COMPLETED):
    if world.ledger.job(job_id).status is JobStatus.PENDING:
        world.ledger.set_status(job_id, JobStatus.RUNNING)
    for ratio in ratios:
        world.ledger.set_progress(job_id, phase="p", progress_ratio=ratio, files_processed=3)
    if end is not None:
        world.ledger.set_status(job_id, end)


def in_tables(world, job_id):
    return [(event.kind, event.seq) for event in world.ledger.events(job_id)]


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
def test_a_job_is_told_while_it_runs_to_its_owner_alone(world, listen, transports):
    other = newcomer(world.api)
    mine, theirs = listen(transports=transports), listen(other.token, transports=transports)
    job_id = new_job(world)
    run(world, job_id, 0.1, 0.5)
    until(lambda: len(mine.told) >= 4)
    expected = in_tables(world, job_id)
    until(lambda: mine.events(job_id) == expected)
    assert [seq for _, seq in expected] == list(range(1, len(expected) + 1))
    assert [name for name, _ in mine.events(job_id)].count("job:complete") == 1
    shown = [data for name, data in mine.told if name.startswith("job:")]
    assert all({"job_id", "progress", "seq", "status", *COUNTERS} <= set(data) for data in shown)
    assert [data["progress"] for data in shown] == sorted(data["progress"] for data in shown)
    assert shown[-1]["progress"] == 100
    assert "secret-place" not in json.dumps(mine.told)
    [notice] = until(lambda: [data for name, data in mine.told if name == "notification"])
    assert notice["data"]["job_id"] == job_id
    assert set(notice) == {"id", "kind", "title", "body", "data", "read_at", "created_at"}
    # Theirs is told to them, so nothing of mine is still on its way.
    their_job = new_job(world, other)
    run(world, their_job)
    until(lambda: theirs.events(their_job) == in_tables(world, their_job))
    assert {data["job_id"] for name, data in theirs.told if name != "notification"} == {their_job}


def test_what_was_missed_is_told_after_coming_back_without_gaps(world, listen):
    job_id = new_job(world)
    first = listen()
    run(world, job_id, 0.1, end=None)
    until(lambda: first.events(job_id) == in_tables(world, job_id))
    got = first.events(job_id)
    first.leave()
    run(world, job_id, 0.2, 0.3, end=None)
    second = listen(last={job_id: got[-1][1]})
    run(world, job_id, 0.4, 0.5)
    expected = in_tables(world, job_id)
    until(lambda: got + second.events(job_id) == expected)
    assert second.client.call("job:watch", {"job_id": job_id, "seq": 1}) == {}
    until(lambda: second.events(job_id)[-len(expected) + 1 :] == expected[1:])


def test_a_lost_connection_to_the_database_loses_no_event(world, listen):
    listener = listen()
    job_id = new_job(world)
    run(world, job_id, 0.1, end=None)
    until(lambda: listener.events(job_id) == in_tables(world, job_id))
    sql(
        world.api,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'fileorganizer-live' AND datname = current_database()",
    )
    late = new_job(world)
    run(world, job_id, 0.2, 0.3)
    run(world, late, 0.5)
    until(lambda: listener.events(job_id) == in_tables(world, job_id))
    until(lambda: listener.events(late) == in_tables(world, late))
    until(lambda: len([name for name, _ in listener.told if name == "notification"]) == 2)


def test_an_attempt_ends_once_after_its_worker_was_killed_and_went_on(world, listen):
    listener = listen()
    job_id = new_job(world)
    run(world, job_id, 0.3, end=None)
    world.ledger.set_status(job_id, JobStatus.PENDING)  # its lease ran out; another takes it
    run(world, job_id, 0.6)
    until(lambda: listener.events(job_id) == in_tables(world, job_id))
    assert [name for name, _ in listener.events(job_id)].count("job:complete") == 1


def test_uploads_are_told_to_those_who_ask(world, listen):
    listener = listen()
    upload, job_id = new_job(world, kind=JobKind.UPLOADED), new_job(world)
    run(world, upload)
    run(world, job_id)
    until(lambda: listener.events(job_id) == in_tables(world, job_id))
    assert listener.events(upload) == []
    assert listener.client.call("job:watch", {"job_id": upload, "seq": 0}) == {}
    until(lambda: listener.events(upload) == in_tables(world, upload))


def test_nobody_watches_the_job_of_another(world, listen):
    theirs = new_job(world, newcomer(world.api))
    listener = listen(last={theirs: 0})
    for asked in ({"job_id": theirs, "seq": 0}, {"job_id": str(uuid.uuid4())}):
        answer = listener.client.call("job:watch", asked)
        assert answer["error"].startswith("there is no job")
    for asked in (None, 7, {"job_id": "x"}, {"job_id": theirs, "seq": -1}):
        assert listener.client.call("job:watch", asked)["error"]
    run(world, theirs, 0.5)
    mine = new_job(world)
    run(world, mine)
    until(lambda: listener.events(mine) == in_tables(world, mine))
    assert listener.events(theirs) == []


def test_who_has_no_token_that_counts_is_refused(world, listen):
    keys, who = world.app.state.token_keys, world.who
    expired = keys.sign(who.id, session_id=who.session_id, lifetime=timedelta(seconds=-60))
    ended = keys.sign(who.id, session_id=str(uuid.uuid4()))
    found = []
    for given in ({"token": "nonsense"}, {"token": expired}, {"token": ended}, {"last": ["x"]}):
        with pytest.raises(socketio.exceptions.ConnectionError):
            listen(**given, refusals=[found])
    told = [each["message"] for each in found]
    assert [each.get("data") for each in found[:3]] == 3 * [{"status": 401}]
    assert told[1] == "the token has expired"
    assert told[3].startswith("`last` has")


def test_a_socket_is_dropped_when_its_token_expires(world, listen):
    soon = timedelta(seconds=1)
    who = world.who
    token = world.app.state.token_keys.sign(who.id, session_id=who.session_id, lifetime=soon)
    listener = listen(token)
    until(lambda: listener.is_gone)
    assert not listener.client.connected


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
def test_pages_of_other_origins_are_refused(world, listen, transports):
    listen(transports=transports, headers={"Origin": ORIGIN})
    for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            listen(transports=transports, headers={"Origin": origin})


def stream(world, job_id, *, last=None, who=None):
    """Lines of a job's stream until it ends."""
    headers = (who or world.who).headers | ({} if last is None else {"Last-Event-ID": str(last)})
    path = f"{world.url}/v1/organize/jobs/{job_id}/events"
    with httpx.stream("GET", path, headers=headers, timeout=60) as answer:
        if answer.status_code != 200:
            return answer.status_code, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(answer.iter_text()).split("\n\n")
    found = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line.strip(": "))
        if fields:
            assert json.loads(fields["data"])["seq"] == int(fields["id"])
            found.append((fields["event"], int(fields["id"])))
    return answer.status_code, found


def test_a_stream_tells_a_job_from_any_number_and_ends_with_it(world):
    from concurrent.futures import ThreadPoolExecutor

    job_id = new_job(world)
    run(world, job_id, 0.1, end=None)
    with ThreadPoolExecutor(2) as pool:
        streams = [pool.submit(stream, world, job_id, last=last) for last in (None, 1)]
        until(lambda: world.app.state.hub.followers(world.who.id) == 2)
        run(world, job_id, 0.2, 0.3)
        whole, part = (each.result(60) for each in streams)
    expected = in_tables(world, job_id)
    assert whole == (200, expected)
    assert part == (200, expected[1:])
    assert stream(world, job_id, last=expected[-1][1]) == (204, b"")
    assert stream(world, job_id, last=expected[-2][1]) == (200, expected[-1:])
    assert stream(world, job_id, last="x")[0] == 422
    assert stream(world, job_id, who=newcomer(world.api))[0] == 404


SCRIPT = """
const { io } = require('socket.io-client');
const [url, token, job] = process.argv.slice(2);
const socket = io(url, { auth: { token, last: { [job]: 1 } }, transports: ['websocket'] });
socket.on('connect_error', (error) => { console.log(error.message); process.exit(1); });
socket.on('connect', () => console.log('connected'));
socket.on('job:progress', (data) => console.log(`job:progress ${data.seq}`));
socket.on('job:complete', (data) => {
  console.log(`job:complete ${data.seq}`);
  socket.disconnect();
});
"""


@pytest.fixture(scope="session")
def official_client(tmp_path_factory):
    """A folder with the client that browsers use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node and npm here")
    folder = tmp_path_factory.mktemp("socket.io")
    command = ["npm", "install", "--no-audit", "--no-fund", "socket.io-client@4"]
    made = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    if made.returncode != 0:
        pytest.skip("npm has no registry to take socket.io-client from")
    (folder / "follow.js").write_text(SCRIPT)
    return folder


def test_the_official_client_follows_a_job(world, official_client):
    job_id = new_job(world)
    run(world, job_id, 0.1, 0.2, end=None)
    command = ["node", "follow.js", world.url, world.who.token, job_id]
    with subprocess.Popen(command, cwd=official_client, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout.readline() == "connected\n"
        run(world, job_id, 0.3)
        told = node.stdout.read().splitlines()
        assert node.wait(60) == 0
    assert told == [f"{kind} {seq}" for kind, seq in in_tables(world, job_id)[1:]]
