"""The whole journey on real files: plan, apply, count, ask, undo; against real servers."""

import csv
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pytest
from dashboard_counts import counted, shown
from flow_stack import SAMPLES, Command, contents_of, facts_of

from deploy.embedded.addresses import running_stack
from models.settings import Settings
from warehouse.store.parts import open_lake

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def truth() -> list[dict[str, str]]:
    """Labels of the sample collection."""
    path = SAMPLES / "truth.csv"
    if not path.is_file():
        pytest.skip("the sample collection is not beside this checkout")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def collection(truth: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample collection, times included."""
    folder = tmp_path_factory.mktemp("journey") / "collection"
    ignore = shutil.ignore_patterns("truth*.csv", "MANIFEST.md")
    shutil.copytree(SAMPLES, folder, ignore=ignore)
    return folder


@pytest.fixture(scope="module")
def before(collection: Path):
    """What the collection held at the start."""
    return facts_of(collection)


def groups_in(document) -> set[frozenset[str]]:
    """Return the groups of a `duplicates` document as sets of keys."""
    return {
        frozenset([group["original_file"], *(member["file"] for member in group["duplicates"])])
        for group in document["duplicate_groups"]
    }


def test_duplicates_are_exactly_the_known_groups(command: Command, truth, collection, before):
    known = defaultdict(set)
    for row in truth:
        if row["dup_group"]:
            known[row["dup_group"]].add(row["path"])
    document = command("duplicates", str(collection))
    assert groups_in(document) == {frozenset(group) for group in known.values()}
    sizes = {row["path"]: int(row["bytes"]) for row in truth}
    wasted = sum(
        sizes[member["file"]]
        for group in document["duplicate_groups"]
        for member in group["duplicates"]
    )
    assert document["total_space_wasted_gb"] == pytest.approx(wasted / 1e9, abs=1e-12)


def test_every_known_capture_date_is_the_date_used(command: Command, truth, collection):
    plan = command("organize", str(collection), "--mode", "date_taken", "--preview")["plan"]
    assert plan["totals"]["files_total"] == len(truth)
    rows = command(
        "sql",
        "SELECT key, captured_at, captured_source FROM files WHERE captured_source = 'exif'",
        "--limit",
        "10000",
    )["rows"]
    used = {row["key"]: row["captured_at"] for row in rows}
    for row in truth:
        if row["taken"] and not row["taken"].startswith("0000"):
            day, _, clock = row["taken"].partition(" ")
            assert used[row["path"]] == f"{day.replace(':', '-')}T{clock}", row["path"]


def test_organize_conserves_every_byte_and_undo_restores_the_tree(
    command: Command, collection: Path, before
):
    contents = sorted(sha for sha, _ in before.values())
    done = command("organize", str(collection), "--yes")
    assert done["job"]["status"] == "completed"
    assert done["job"]["progress"] == 100
    after = facts_of(collection)
    assert sorted(sha for sha, _ in after.values()) == contents
    assert len(after.keys() - before.keys()) == done["plan"]["totals"]["moves"] > 2000

    again = command("organize", str(collection), "--yes")
    totals = again["plan"]["totals"]
    assert [totals[name] for name in ("moves", "copies", "trashes", "displacements")] == [0] * 4
    assert facts_of(collection) == after

    undone = command("undo", done["job"]["id"])
    assert undone["job"]["status"] == "completed"
    assert facts_of(collection) == before
    command("undo", done["job"]["id"])
    assert facts_of(collection) == before


def test_trashed_duplicates_are_conserved_and_come_back(command: Command, collection: Path, before):
    contents = sorted(sha for sha, _ in before.values())
    weighed = command("whatif", str(collection), "--on-duplicate", "trash", "--keep", "newest")
    (policy,) = weighed["policies"]
    done = command(
        *("organize", str(collection), "--on-duplicate", "trash", "--keep", "newest", "--yes")
    )
    assert done["plan"]["totals"] == policy["totals"]
    assert done["result"]["files_moved"] == policy["files_moved"]
    assert done["result"]["bytes_moved"] == policy["bytes_moved"]
    facts = facts_of(collection)
    size = {sha: (collection / key).stat().st_size for key, (sha, _) in facts.items()}
    live = Counter(sha for sha, _ in facts.values())
    gone = Counter(contents) - live
    assert sum(size[sha] * n for sha, n in gone.items()) == policy["bytes_freed"] > 0
    assert done["plan"]["totals"]["trashes"] > 100
    assert set(live) == set(contents)
    assert live.total() == len(contents) - done["plan"]["totals"]["trashes"]
    assert contents_of(collection) == contents
    command("undo", done["job"]["id"])
    assert facts_of(collection) == before


def test_the_warehouse_counts_what_the_ledger_counts(command: Command, collection: Path, before):
    job = command("organize", str(collection), "--yes")["job"]
    journaled = command("jobs", job["id"])["operations"]
    rows = command(
        "sql",
        "SELECT state, count(*) AS n FROM fact_operation "
        f"WHERE run_id = '{job['id']}' GROUP BY state",
    )["rows"]
    assert {row["state"]: row["n"] for row in rows} == journaled
    assert command("warehouse", "check") == {"is_sound": True, "findings": []}

    addresses = running_stack(Settings(home=Path(command.env["FILEORGANIZER_HOME"])))
    assert addresses is not None
    lake = open_lake(addresses.lake)
    command("warehouse", "daily")
    told = shown(lake)
    assert told == counted(lake, addresses.database_url)
    assert told["storage_totals", "files"] >= len(before)

    key = f"quality-{job['id'][:8]}"
    url = f"{addresses.prefect_api_url}/artifacts/{key}/latest"
    link = httpx.get(url).raise_for_status().json()["data"]
    index = Path(command("warehouse", "docs", job["id"])["index"])
    assert re.search(r"\((file:///.*index.html)\)", link), link
    assert f"{job['id']}/publish/docs/index.html" in link
    assert "0 unmet: the run is published" in index.read_text()

    assert command("warehouse", "compact")["tables"]
    rebuilt = command("warehouse", "rebuild")
    assert rebuilt["is_equal"], rebuilt
    assert command("warehouse", "check") == {"is_sound": True, "findings": []}
    assert shown(open_lake(addresses.lake)) == counted(lake, addresses.database_url)
    command("undo", job["id"])
    assert facts_of(collection) == before
