"""Data Docs: what each expectation saw of a run, whether it passed or is in quarantine."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner
from warehouse_runs import rows_of_run, second_run, stage

from cli.main import app
from models.domain.warehouse_rows import RunStatus
from warehouse.quality import expectations
from warehouse.quality.docs import copied_docs, docs_address
from warehouse.store.parts import open_lake
from warehouse.store.publishing import publish, rows_at_rest

pytestmark = pytest.mark.service

HOSTILE = "in/<script>document.title='run'</script>.jpg"
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def lake(tmp_path):
    """A run that passes, and one whose hash of a hostile name is none."""
    lake = open_lake(str(tmp_path / "lake"))

    def judged(run):
        return expectations.judge(rows_at_rest(lake, run.run_id), run, lake)

    publish(lake, stage(lake, rows_of_run()), judged)
    bad = rows_of_run("bad")
    first = bad["dim_file"][0]
    bad["dim_file"][0] = dataclasses.replace(first, key=HOSTILE, sha256=HOSTILE)
    marker = publish(lake, stage(lake, bad, "bad"), judged)
    assert marker.status == RunStatus.QUARANTINED
    return lake


def pages(lake, run_id, folder):
    index = copied_docs(lake, run_id, folder)
    return {path.name: path.read_text() for path in index.parent.iterdir()}


def test_every_suite_has_its_page_and_says_what_is_unmet(lake, tmp_path):
    well, ill = (pages(lake, run_id, tmp_path / "docs") for run_id in ("run-1", "bad"))
    assert {"index.html", "run.html", "dim_file.html", "fact_operation.html"} <= well.keys()
    assert "0 unmet: the run is published" in well["index.html"]
    assert "is in quarantine" in ill["index.html"]
    told = re.search(r"expect_column_values_to_match_regex.*sha256.*?</li>", ill["index.html"])
    assert told is not None
    assert "1 unexpected values found" in ill["dim_file.html"]
    assert "unexpected values found" not in well["dim_file.html"]
    for page in (*well.values(), *ill.values()):
        assert not re.search(r"<script|(?:src|href)=.?(?:https?:)?//", page)


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a Chromium")
def test_a_browser_shows_them_without_running_anything_or_asking_anybody(lake, tmp_path):
    index = copied_docs(lake, "bad", tmp_path / "docs")
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(index.as_uri())
        page.get_by_role("link", name="dim_file").click()
        assert page.title() == "dim_file"
        assert page.get_by_text(HOSTILE, exact=True).is_visible()
        browser.close()
    assert all(url.startswith("file:///") for url in asked)


def test_the_command_prints_where_they_are(lake, tmp_path, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", lake.url)
    run = CliRunner().invoke
    told = json.loads(run(app, ["warehouse", "docs", "bad", "--json"]).stdout)
    assert (told["run_id"], told["status"]) == ("bad", "quarantined")
    assert "quarantine" in Path(told["index"]).read_text()
    assert docs_address(lake, "bad").startswith("file:///")
    second_run(lake)
    missing = run(app, ["warehouse", "docs", "nothing", "--json"])
    assert missing.exit_code == 2
    assert "fileorganizer jobs" in missing.stdout
