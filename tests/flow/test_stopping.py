"""Jobs that are canceled, killed or handed over: nothing half done, nothing lost."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from flow_stack import Command, contents_of, facts_of

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

FILES = 3000


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Many small distinct files, some of them equal, a few in folders of their own."""
    folder = tmp_path / "many"
    for number in range(FILES):
        part = folder / f"part {number % 30}"
        part.mkdir(parents=True, exist_ok=True)
        path = part / f"note {number}.txt"
        path.write_text(f"{number if number % 50 else 0}\n" * 20)
        os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
    return folder


def newest_job(command: Command) -> dict[str, object]:
    """Return the job that was created last."""
    return command("jobs", "--limit", "1")["jobs"][0]


def wait_for(command: Command, known: set[str], phases: set[str], *, limit_s: float = 120) -> str:
    """Return the id of the next job once it is in one of `phases`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        job = newest_job(command)
        if job["id"] not in known and (job["phase"] in phases or job["status"] in phases):
            return str(job["id"])
        time.sleep(0.2)
    pytest.fail(f"no new job came to {phases}: {newest_job(command)}")


def known_jobs(command: Command) -> set[str]:
    """Return the ids of all jobs there are."""
    return {job["id"] for job in command("jobs", "--limit", "1000")["jobs"]}


def test_a_canceled_job_stops_soon_with_nothing_half_done(command: Command, collection: Path):
    before, contents = facts_of(collection), contents_of(collection)
    known = known_jobs(command)
    process = command.start("organize", str(collection), "--yes")
    job_id = wait_for(command, known, {"fingerprinting", "categorizing", "planning", "applying"})
    asked = time.monotonic()
    command("jobs", job_id, "--cancel")
    process.communicate(timeout=120)
    assert process.returncode == 3
    job = command("jobs", job_id)["job"]
    assert job["status"] == "canceled"
    assert time.monotonic() - asked < 60  # two starts of the command line included
    assert contents_of(collection) == contents
    command("undo", job_id)
    assert facts_of(collection) == before


def test_a_killed_command_goes_on_with_apply_and_can_be_undone(command: Command, collection: Path):
    before, contents = facts_of(collection), contents_of(collection)
    known = known_jobs(command)
    process = command.start("organize", str(collection), "--mode", "extension", "--yes")
    job_id = wait_for(command, known, {"applying", "applied", "publishing"})
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert contents_of(collection) == contents
    killed = command("jobs", job_id)["job"]
    time.sleep(7)  # the lease of the session's stack is 6 s
    done = command("apply", killed["plan_id"])
    assert done["job"]["status"] == "completed"
    assert contents_of(collection) == contents
    assert (collection / "txt" / "note 1.txt").is_file()
    command("undo", job_id)
    assert facts_of(collection) == before


def test_a_submitted_job_runs_on_the_worker(command: Command, collection: Path):
    contents = contents_of(collection)
    job_id = command("organize", str(collection), "--detach")["job"]["id"]
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        job = command("jobs", job_id)["job"]
        if job["status"] not in {"pending", "running"}:
            break
        time.sleep(1)
    assert job["status"] == "completed", json.dumps(job)
    assert job["files_total"] == FILES
    assert contents_of(collection) == contents


def test_errors_teach_and_exit_by_kind(command: Command, tmp_path: Path):
    missing = command("organize", str(tmp_path / "nowhere"), "--yes", status=2)
    assert missing["error"]["kind"] == "missing"
    mode = command("organize", str(tmp_path), "--mode", "by_color", status=2)
    assert "category_year" in mode["error"]["message"]
    assert command("undo", "ffffffff", status=2)["error"]["kind"] == "missing"
