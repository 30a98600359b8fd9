"""The dashboards show what Postgres and the warehouse count, by a connection that is locked."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import psycopg
import pytest
from dashboard_counts import counted, shown
from test_publish_catalog import organize, reindex, undo, world

from dashboards.analytics.asking import Board, Filters, question, questions
from models.domain.jobs import JobKind
from models.domain.warehouse_daily import Day
from tasks.publish.daily import record_day
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service
__all__ = ["world"]

ENDS = """UPDATE organization_jobs SET status = %s, started_at = %s, completed_at = %s,
    files_total = 3, errors_count = 1 WHERE id = %s"""
PERSON = """INSERT INTO users (email, username, password_hash, created_at)
    VALUES ('a@x.org', 'a', '!', %s)"""
ANSWER = """INSERT INTO analytics_events (event_type, event_data, created_at)
    VALUES ('feedback', '{"score": 9}', %s)"""


@pytest.fixture
def lived(world):
    """Roots that were indexed, organized, put back and changed; jobs that ended in all ways."""
    reindex(world)
    world.put("out", "x/e", "four!", "Mail")
    world.put("out", "y/e", "four!", "Mail")
    reindex(world, "out")
    job, _ = organize(world, "out")
    undo(world, job)
    world.put("in", "a.jpg", "changed")
    reindex(world)
    published = {each.id: "completed" for each in world.ledger.jobs(10)}
    published[job.id] = "completed_with_errors"
    stopped = {world.job(JobKind.REINDEX)[0].id: way for way in ("failed", "canceled")}
    now = datetime.now(UTC)
    yesterday = Day.named(f"{now - timedelta(days=1):%Y-%m-%d}")
    noon = yesterday.start + timedelta(hours=12)
    with psycopg.connect(world.url.replace("+psycopg", "")) as connection:
        for n, (id_, way) in enumerate((published | stopped).items()):
            end = noon + timedelta(seconds=10 * n)
            connection.execute(ENDS, [way, noon, end, id_])
        connection.execute(PERSON, [noon])
        connection.execute(ANSWER, [noon])
    record_day(world.lake, world.ledger, yesterday, now=now)
    return world


def test_every_count_is_what_postgres_counts(lived):
    told = shown(lived.lake)
    assert told == counted(lived.lake, lived.url)
    assert told["storage_totals", "files"] == 6
    assert told["storage_totals", "categories"] == 2
    assert told["duplicates_totals", "copies"] == 2
    assert told["runs_totals", "runs"] == 5
    assert told["jobs_totals", "jobs"] == 7
    assert (told["jobs_totals", "failed"], told["jobs_totals", "canceled"]) == (1, 1)
    assert (told["kpi_totals", "signups"], told["kpi_totals", "answers"]) == (1, 1)


def test_one_root_has_its_own_counts_and_all_roots_have_their_sum(lived):
    board = Board(lived.lake)
    span = board.span()
    roots = board.ask("roots")
    assert {row["name"] for row in roots} == {"file:///in", "file:///out"}
    for name in ("storage_totals", "duplicates_totals"):
        whole = board.one(name, span)
        parts = [
            board.one(name, Filters(root=row["root_id"], first=span.first, last=span.last))
            for row in roots
        ]
        for figure in {"files", "bytes", "copies", "wasted_bytes"} & whole.keys():
            assert sum(part[figure] for part in parts) == whole[figure]
    for row in roots:
        counts = lived.ledger.catalog_counts(row["root_id"])
        filters = Filters(root=row["root_id"], first=span.first, last=span.last)
        totals = board.one("storage_totals", filters) | board.one("duplicates_totals", filters)
        assert (totals["files"], totals["bytes"], totals["copies"], totals["wasted_bytes"]) == (
            counts["files"],
            counts["bytes"],
            counts["duplicates"],
            counts["space_wasted_bytes"],
        )


def test_days_before_there_was_anything_show_nothing(lived):
    board = Board(lived.lake)
    early = Filters(first=date(2020, 1, 1), last=date(2020, 1, 31))
    assert [row["files"] for row in board.ask("storage_over_time", early)] == [0] * 2 * 31
    assert board.one("jobs_totals", early)["jobs"] == 0
    assert board.one("kpi_totals", early)["days"] == 0
    assert board.one("runs_totals", early)["runs"] == 0


@pytest.mark.parametrize("name", questions())
def test_each_question_is_answered_over_nothing_too(tmp_path, name):
    board = Board(open_lake(str(tmp_path)))
    assert board.span() is None
    board.ask(name, Filters(first=date(2026, 1, 1), last=date(2026, 1, 2)))
    assert question(name).startswith("-- ")


def test_the_dashboards_connection_has_the_analysts_locks(tmp_path):
    (tmp_path / "x").write_text("x")
    connection = Board(open_lake(str(tmp_path / "lake")))._connection
    for attempt in (
        f"FROM read_text('{tmp_path}/x')",
        f"COPY (SELECT 1) TO '{tmp_path}/y'",
        f"ATTACH '{tmp_path}/z.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FROM read_csv('http://127.0.0.1:1/x')",
        "FROM tmp_path",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(attempt)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["x"]
