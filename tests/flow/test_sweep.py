"""A visit to some roots by flow runs on the worker: in turns, a big one shared out."""

import time
import uuid
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deploy.embedded.addresses import running_stack
from deploy.embedded.prefect_api import PrefectApi
from models.domain.jobs import JobKind, JobStatus
from models.domain.sweeps import Bundle, Sweep
from models.settings import Settings
from storage.opening import canonical_url
from tasks.ledger.ledger import Ledger
from tasks.lifecycle.launching import PrefectRuns
from tasks.lifecycle.sweeping import Sweeper
from tasks.lifecycle.task import job_for_root

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

FILES = 1700


def make_root(ledger: Ledger, folder: Path, files: int) -> str:
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:05}.txt").write_text(f"{number}\n" * 3)
    return ledger.root_for(canonical_url(str(folder))).id


def test_roots_are_visited_on_the_worker_and_a_big_one_is_shared_out(
    stack: dict[str, str], ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    addresses = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert addresses is not None
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", addresses.database_url)
    roots = [
        make_root(ledger, tmp_path / "big", FILES),
        make_root(ledger, tmp_path / "small", 3),
        make_root(ledger, tmp_path / "away", 2),
    ]
    (tmp_path / "away" / "00000.txt").unlink()
    (tmp_path / "away" / "00001.txt").unlink()
    (tmp_path / "away").rmdir()
    owner = ledger.root(roots[0]).account_id
    assert owner is not None
    sweep = Sweep(
        id=str(uuid.uuid4()),
        bundles=(
            Bundle(account_id=owner, root_ids=(roots[0],)),
            Bundle(account_id=owner, root_ids=(roots[1], roots[2])),
        ),
        is_new=True,
    )
    with temporary_settings({PREFECT_API_URL: addresses.prefect_api_url}):
        sweeper = Sweeper(
            *(ledger, PrefectRuns(), sweep),
            at_once=2,
            each=2,
            make_job=lambda job_id, root_id: (
                job_for_root(JobKind.REINDEX, root_id, job_id=job_id) and None
            ),
        )
        sweeper.run(lambda _progress: None, poll_s=0.5)
    outcomes = sweeper.outcomes()
    standings = [outcomes[root] for root in roots]
    assert [each and each.status for each in standings] == [
        JobStatus.COMPLETED,
        JobStatus.COMPLETED,
        JobStatus.FAILED,
    ]
    big = standings[0]
    assert big is not None
    shards = ledger.shards([big.job_id])
    assert [(each.first, each.last, each.is_done) for each in shards] == [
        (0, 1, True),
        (1, 3, True),
        (3, 5, True),
    ]
    last = ledger.last_index(roots[0])
    assert last is not None
    assert last.rows == FILES == big.files_total


SCHEDULED = {
    "reindex/nightly": "30 2 * * *",
    "index-search/nightly-search": "0 3 * * *",
    "purge/daily": "30 3 * * *",
    "verify/weekly": "30 4 * * 0",
    "daily/daily": "20 0 * * *",
    "compact/monthly": "15 1 1 * *",
}


def test_every_schedule_makes_runs(stack: dict[str, str]):
    addresses = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert addresses is not None
    api = PrefectApi(addresses.prefect_api_url)
    deployments = {each["id"]: each for each in api.filter("deployments", {})}
    schedules = {
        f"{each['name']}/{schedule['slug']}": schedule["schedule"]["cron"]
        for each in deployments.values()
        for schedule in each["schedules"]
        if schedule["active"]
    }
    assert schedules == SCHEDULED

    def planned() -> set[str]:
        runs = api.filter("flow_runs", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        return {deployments[run["deployment_id"]]["name"] for run in runs if run["auto_scheduled"]}

    deadline = time.monotonic() + 200
    while planned() != {name.partition("/")[0] for name in SCHEDULED}:
        assert time.monotonic() < deadline, planned()
        time.sleep(0.5)
