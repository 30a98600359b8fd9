"""The upkeep of the warehouse by its commands: what they say, and that damage is mended."""

import subprocess
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from flow_stack import PROGRAM, Command

from deploy.embedded.addresses import Addresses, running_stack
from models.domain.jobs import JobStatus
from models.settings import Settings
from tasks.ledger.ledger import Ledger
from warehouse.store.delta import Warehouse
from warehouse.store.parts import open_lake

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]


def is_sound(command: Command) -> bool:
    """Whether a check finds no problem; what other tests left may be noted."""
    found = command("warehouse", "check")
    assert all(each["grade"] == "note" for each in found["findings"]), found
    return bool(found["is_sound"])


@pytest.fixture
def addresses(stack: dict[str, str]) -> Addresses:
    """Where the stack's parts are."""
    found = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert found is not None
    return found


@pytest.fixture
def run_id(command: Command, tmp_path: Path) -> str:
    """A published run over three files, two of them equal."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in {"a.txt": "equal", "b.txt": "equal", "c.csv": "1,2\n3,4\n"}.items():
        (folder / name).write_text(text)
    job: str = command("organize", str(folder), "--mode", "extension", "--yes")["job"]["id"]
    assert is_sound(command)
    return job


def test_days_are_recorded_once_and_odd_ones_refused(command: Command):
    command("warehouse", "daily")
    assert command("warehouse", "daily") == {"days": {}}
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for day, told in ((today, "not over yet"), ("yesterday", "YYYY-MM-DD")):
        error = command("warehouse", "daily", "--day", day, status=2)["error"]
        assert error["kind"] == "invalid"
        assert told in error["message"]


def test_a_day_that_is_named_again_is_as_it_was(command: Command):
    named = ("warehouse", "daily", "--day", "2026-01-05")
    first = command(*named)
    assert first["days"]["2026-01-05"]["rows_published"] > 0
    query = ("sql", "SELECT run_id, recorded_at FROM fact_day WHERE day = '2026-01-05'")
    rows = command(*query)["rows"]
    assert command(*named) == first
    assert command(*query)["rows"] == rows
    assert len(rows) == 1


def test_compaction_tells_of_each_table_and_is_done_once(command: Command, run_id: str):
    query = ("sql", f"SELECT count(*) AS n FROM dim_file WHERE run_id = '{run_id}'")
    before = command(*query)["rows"]
    first = command("warehouse", "compact")["tables"]
    assert {"published_runs", "dim_file", "fact_operation"} <= first.keys()
    again = command("warehouse", "compact")["tables"]
    assert {name: facts["files_before"] for name, facts in again.items()} == {
        name: facts["files_after"] for name, facts in first.items()
    }
    # What the first one replaced is younger than a week.
    assert all(facts["files_removed"] == 0 for facts in (*first.values(), *again.values()))
    assert command(*query)["rows"] == before
    assert is_sound(command)


def test_damage_is_found_told_and_mended(command: Command, addresses: Addresses, run_id: str):
    operations = Warehouse(open_lake(addresses.lake)).uri("fact_operation")
    DeltaTable(operations).delete(f"run_id = '{run_id}' AND seq = 0")
    found = command("warehouse", "check", status=1)
    assert not found["is_sound"]
    wheres = {each["where"]: each for each in found["findings"] if each["grade"] != "note"}
    assert wheres.keys() == {"fact_operation", f"job {run_id}"}
    assert all(each["grade"] == "problem" for each in wheres.values())
    assert f"run {run_id}" in wheres["fact_operation"]["what"]

    told = subprocess.run(
        [str(PROGRAM), "warehouse", "check"],
        env={**command.env, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 1
    assert "fact_operation" in told.stdout
    assert "fileorganizer warehouse rebuild --force" in " ".join(told.stderr.split())

    refused = command("warehouse", "rebuild", status=3)["error"]
    assert refused["kind"] == "conflict"
    assert "'fact_operation': 1" in refused["message"]
    assert "--force" in refused["message"]
    assert not command("warehouse", "check", status=1)["is_sound"]

    made = command("warehouse", "rebuild", "--force")
    assert (made["is_equal"], made["differences"]["fact_operation"]) == (False, 1)
    assert is_sound(command)
    assert command("warehouse", "rebuild")["is_equal"]


def test_while_a_job_runs_nothing_is_rebuilt(command: Command, ledger: Ledger, run_id: str):
    job = ledger.create_job(
        replace(ledger.job(run_id), id=str(uuid.uuid4()), status=JobStatus.PENDING)
    )
    ledger.set_status(job.id, JobStatus.RUNNING)
    try:
        refused = command("warehouse", "rebuild", status=3)["error"]
    finally:
        ledger.set_status(job.id, JobStatus.FAILED)
    assert "fileorganizer jobs" in refused["message"]
    assert is_sound(command)
