"""The dashboards in a real browser: their numbers, their filters, and nobody else's hosts."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from warehouse_runs import day_run, rows_of_run, second_run, stage

from dashboards.analytics import numbers
from dashboards.analytics.asking import Board, Filters
from models.domain.warehouse_rows import RunStatus
from warehouse.store.parts import open_lake
from warehouse.store.publishing import Verdict, publish

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 60_000
START = [sys.executable, "-c", "from cli.main import main; main()", "dashboards", "--no-browser"]

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a Chromium"),
    pytest.mark.service,
]


def started(lake_url, home):
    """Start the command and return it with the address it prints; no stack is running."""
    env = {**os.environ, "FILEORGANIZER_LAKE_URL": lake_url, "FILEORGANIZER_HOME": str(home)}
    process = subprocess.Popen([*START, "--json"], env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    while "}" not in text:
        line = process.stdout.readline()
        assert line, "the command ended"
        text += line
    return process, json.loads(text)["address"]


def stopped(process):
    process.send_signal(signal.SIGINT)
    process.wait(60)
    process.stdout.close()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two runs, the second with another root, a day, and a run in quarantine."""
    lake = open_lake(str(tmp_path_factory.mktemp("lake")))
    first = rows_of_run()
    other = replace(first["dim_file"][0], root_id="other", key="in/<b>7</b>.jpg")
    first["dim_file"].append(other)
    for staged in (stage(lake, first), second_run(lake), day_run(lake)):
        assert publish(lake, staged, lambda _: Verdict(expectations=7, failures=())).reasons is None
    bad = publish(
        lake,
        stage(lake, rows_of_run("run-3"), "run-3"),
        lambda _: Verdict(expectations=7, failures=("<i>too</i> new",)),
    )
    assert bad.status == RunStatus.QUARANTINED
    return lake


@pytest.fixture(scope="module")
def address(lake, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    process, address = started(lake.url, home)
    yield address
    stopped(process)
    assert list(home.iterdir()) == []


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox does not start.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(chromium, address):
    """A page that was let in; it asks its own host only."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.set_default_timeout(PATIENCE_MS)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    expect(page.locator(".fo-page")).to_be_visible(timeout=PATIENCE_MS)
    yield page
    own = re.compile(r"(http|ws)://127\.0\.0\.1:\d+/|data:|blob:")
    assert [url for url in asked if not own.match(url)] == []
    assert any(url.startswith("ws://") for url in asked)
    assert errors == []


def opened(page, name):
    page.get_by_role("tab", name=name).click()
    body = page.locator(f'.fo-page[data-page="{name}"]')
    expect(body).to_be_visible(timeout=PATIENCE_MS)
    return body


def card(body, title):
    return body.locator(f'[data-card="{title}"] .fo-value')


def test_the_token_leaves_the_address_bar(page):
    assert "token" not in page.url
    assert page.title() == "FileOrganizer dashboards"


def test_each_page_shows_the_warehouse_s_numbers(page, lake):
    board = Board(lake)
    span = board.span()
    files, copies = board.one("storage_totals", span), board.one("duplicates_totals", span)
    runs, kpis = board.one("runs_totals", span), board.one("kpi_totals", span)
    expected = {
        "Storage": {
            "Files": numbers.count(files["files"]),
            "Stored": numbers.size(files["bytes"]),
            "Roots": "2",
        },
        "Duplicates": {
            "Extra copies": numbers.count(copies["copies"]),
            "Space wasted": numbers.size(copies["wasted_bytes"]),
        },
        "Jobs": {
            "Operations done": numbers.count(runs["done"]),
            "Operations not done": numbers.count(runs["errors"]),
            "Jobs ended": "0",
        },
        "KPIs": {
            "Sign-ups": numbers.count(kpis["signups"]),
            "MRR": "$9.99",
            "ARR": "$119.88",
            "Conversion": "100 %",
            "NPS": "+100",
        },
        "Data quality": {"Runs in quarantine": "1", "Checks met": "28"},
    }
    for name, figures in expected.items():
        body = opened(page, name)
        for title, value in figures.items():
            expect(card(body, title)).to_have_text(value, timeout=PATIENCE_MS)
    assert files["files"] == 6


def test_charts_are_drawn(page):
    body = opened(page, "Storage")
    drawn = body.locator("canvas")
    expect(drawn).to_have_count(5, timeout=PATIENCE_MS)
    expect(page.get_by_text("Open in Vega Editor")).to_have_count(0)


def test_names_of_others_are_shown_and_not_obeyed(page):
    body = opened(page, "Data quality")
    expect(body.get_by_text("<i>too</i> new")).to_be_visible()
    assert body.locator("i").count() == 0


def test_a_root_filters_what_is_shown(page, lake):
    board = Board(lake)
    span = board.span()
    other = Filters(root="other", first=span.first, last=span.last)
    assert board.one("storage_totals", other)["files"] == 1
    body = opened(page, "Storage")
    choice = page.get_by_label("Root")
    choice.select_option(label="root other")
    expect(card(body, "Files")).to_have_text("1", timeout=PATIENCE_MS)
    choice.select_option(label="All roots")
    expect(card(body, "Files")).to_have_text("6", timeout=PATIENCE_MS)


def test_it_is_readable_on_dark_and_on_light_paper(page):
    opened(page, "Storage")
    ink = "getComputedStyle(document.querySelector('.fo-value')).color"
    paper = "getComputedStyle(document.querySelector('.fo-card')).backgroundColor"
    seen = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("s => document.body.classList.contains(s)", arg=scheme)
        seen.append((page.evaluate(ink), page.evaluate(paper)))
    (dark_ink, dark), (light_ink, light) = [tuple(map(luminance, pair)) for pair in seen]
    assert dark < 0.2
    assert dark_ink > 0.8
    assert light > 0.8
    assert light_ink < 0.2


def luminance(color):
    red, green, blue = map(int, re.findall(r"\d+", color)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_without_the_cookie_there_is_neither_a_page_nor_a_kernel(page, address):
    base = address.partition("/?")[0]
    for path in ("/", "/?token=x", "/ws", "/api/version", "/assets/x.js", address[len(base) :]):
        assert httpx.get(base + path).status_code == 401
    port = int(base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET /ws?session_id=s_1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 403")


def test_with_the_cookie_nobody_can_run_code_of_theirs(page, address):
    base = address.partition("/?")[0]
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}
    headers = {"Marimo-Session-Id": "s_1", "Marimo-Server-Token": ""}
    with httpx.Client(base_url=base, cookies=cookies, headers=headers) as client:
        assert client.get("/").status_code == 200
        for path, body in {
            "/api/kernel/run": {"cellIds": ["x"], "codes": ["1"]},
            "/api/kernel/scratchpad/run": {"code": "1"},
            "/api/kernel/execute": {"code": "1"},
            "/api/files/list_files": {"path": "/"},
            "/api/packages/add": {"package": "x"},
            "/api/datasources/preview_sql_table": {},
        }.items():
            assert client.post(path, json=body).status_code in {401, 403, 404, 405}, path


def test_an_empty_lake_says_what_to_do(chromium, tmp_path):
    process, address = started(str(tmp_path / "lake"), tmp_path / "home")
    try:
        page = chromium.new_page()
        page.goto(address)
        empty = page.locator(".fo-empty")
        expect(empty).to_contain_text("fileorganizer reindex FOLDER", timeout=PATIENCE_MS)
        page.close()
    finally:
        stopped(process)
    assert not (tmp_path / "home").exists()
