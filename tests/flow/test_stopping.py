"""Jobs that are canceled, killed or handed over: nothing half done, nothing lost."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_stack import Command, contents_of, facts_of

from models.domain.jobs import TERMINAL, Job, JobStatus
from tasks.ledger.ledger import Ledger

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


def wait_for_job(
    ledger: Ledger, known: set[str], is_there: Callable[[Job], bool], *, limit_s: float = 400
) -> str:
    """Return the id of the next job once it is where it shall be."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for job in ledger.jobs(limit=3):
            if job.id not in known and is_there(job):
                return job.id
        time.sleep(0.02)
    raise TimeoutError(str(ledger.jobs(limit=3)))


def known_jobs(ledger: Ledger) -> set[str]:
    """Return the ids of all jobs there are."""
    return {job.id for job in ledger.jobs(limit=1000)}


def test_a_canceled_job_stops_soon_with_nothing_half_done(
    command: Command, ledger: Ledger, collection: Path
):
    before, contents = facts_of(collection), contents_of(collection)
    known = known_jobs(ledger)
    with command.started("organize", str(collection), "--yes") as process:
        job_id = wait_for_job(ledger, known, lambda job: job.phase == "fingerprinting")
        ledger.request_cancel(job_id)
        asked = time.monotonic()
        wait_for_job(ledger, known, lambda job: job.status is JobStatus.CANCELED)
        assert time.monotonic() - asked < 10
        process.communicate(timeout=120)
        assert process.returncode == 3
    assert contents_of(collection) == contents
    command("undo", job_id)
    assert facts_of(collection) == before


def test_a_killed_command_goes_on_with_apply_and_can_be_undone(
    command: Command, ledger: Ledger, collection: Path
):
    before, contents = facts_of(collection), contents_of(collection)
    known = known_jobs(ledger)
    with command.started("organize", str(collection), "--mode", "extension", "--yes") as process:
        job_id = wait_for_job(
            ledger, known, lambda job: sum(ledger.operation_counts(job.id).values()) > 0
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert ledger.job(job_id).status is JobStatus.RUNNING
    assert contents_of(collection) == contents
    killed = command("jobs", job_id)["job"]
    time.sleep(7)  # the lease of the session's stack is 6 s
    done = command("apply", killed["plan_id"])
    assert done["job"]["status"] == "completed"
    assert contents_of(collection) == contents
    assert (collection / "txt" / "note 1.txt").is_file()
    command("undo", job_id)
    assert facts_of(collection) == before


def test_a_submitted_job_runs_on_the_worker(command: Command, ledger: Ledger, collection: Path):
    contents = contents_of(collection)
    job_id = command("organize", str(collection), "--detach")["job"]["id"]
    wait_for_job(ledger, set(), lambda job: job.id == job_id and job.status in TERMINAL)
    job = command("jobs", job_id)["job"]
    assert job["status"] == "completed", json.dumps(job)
    assert job["files_total"] == FILES
    assert contents_of(collection) == contents


def test_errors_teach_and_exit_by_kind(command: Command, tmp_path: Path):
    missing = command("organize", str(tmp_path / "nowhere"), "--yes", status=2)
    assert missing["error"]["kind"] == "missing"
    mode = command("organize", str(tmp_path), "--mode", "by_color", status=2)
    assert "category_year" in mode["error"]["message"]
    assert command("undo", "ffffffff", status=2)["error"]["kind"] == "missing"
