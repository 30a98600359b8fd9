"""Postgres and the warehouse agree after every kind of job; one is rebuilt from the other."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from deltalake import DeltaTable
from test_publish_catalog import organize, reindex, undo, world

from models.domain.warehouse_daily import Day
from tasks.publish.agreement import disagreements, known_runs
from tasks.publish.daily import days_to_record, record_day
from tasks.publish.upkeep_task import compact_warehouse, record_days
from warehouse.asking import ask
from warehouse.quality.checkup import check_up
from warehouse.store.delta import Warehouse
from warehouse.store.publishing import Verdict
from warehouse.store.rebuilding import put_in_place, rebuild

pytestmark = pytest.mark.service
__all__ = ["world"]


@pytest.fixture
def lived(world):
    """A world that was indexed, organized, put back, changed, and recorded for a week."""
    reindex(world)
    job, _ = organize(world, "out")
    undo(world, job)
    world.put("in", "a.jpg", "changed")
    reindex(world)
    now = datetime.now(UTC)
    for day in days_to_record(world.lake, now=now):
        record_day(world.lake, world.ledger, day, now=now)
    return world


def found(world):
    return [*check_up(world.lake), *disagreements(world.lake, world.ledger)]


def test_both_say_the_same_and_what_differs_is_found(lived):
    assert found(lived) == []
    with psycopg.connect(lived.url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE files SET file_size_bytes = 99 WHERE storage_key = 'a.jpg'")
        connection.execute(
            "UPDATE organization_jobs SET status = 'failed' WHERE kind = 'undo' "
            "AND status = 'running'"
        )
    (finding,) = found(lived)
    assert finding.grade == "problem"
    assert finding.where == f"root {lived.roots['in'].id}"
    assert finding.what == "bytes: 110 in Postgres, 18 in the warehouse"


def test_a_journal_that_was_not_published_whole_is_found(lived):
    run = ask(lived.lake, "SELECT run_id FROM fact_job WHERE kind = 'organize'").rows[0][0]
    operations = Warehouse(lived.lake).uri("fact_operation")
    DeltaTable(operations).delete(f"run_id = '{run}' AND seq = 0")
    wheres = [(finding.where, finding.grade) for finding in found(lived)]
    assert wheres == [("fact_operation", "problem"), (f"job {run}", "problem")]


def test_what_is_in_quarantine_is_told_and_not_compared(world):
    reindex(world)
    world.put("in", "new", "new")
    job, _ = world.job(world.ledger.jobs(1)[0].kind)
    from models.domain.errors import BrokenError

    refs = world.index(job, "in")
    with pytest.raises(BrokenError, match="quarantine"):
        world.publish(job, refs, judge=lambda _: Verdict(expectations=1, failures=("too new",)))
    told = found(world)
    assert told[0].where == f"run {job.id}"
    assert told[0].what == "in quarantine: too new"
    assert any(finding.what.startswith("files: ") for finding in told[1:])


def test_rebuilt_from_postgres_and_the_runs_it_equals_the_original(lived):
    now = datetime.now(UTC)
    made = rebuild(lived.lake, known_runs(lived.ledger, lived.lake, now=now))
    assert made.runs == 4 + 7
    assert made.is_equal, made.differences
    assert made.rows["fact_day"] == 7
    put_in_place(lived.lake, made)
    assert found(lived) == []


def test_without_its_warehouse_a_lake_still_has_all_of_it(lived):
    markers = Warehouse(lived.lake).uri("published_runs")
    before = ask(lived.lake, "SELECT run_id FROM published_runs ORDER BY ALL").rows
    DeltaTable(markers).delete()
    now = datetime.now(UTC)
    made = rebuild(lived.lake, known_runs(lived.ledger, lived.lake, now=now))
    assert made.runs == len(before)
    assert not made.is_equal
    put_in_place(lived.lake, made)
    assert ask(lived.lake, "SELECT run_id FROM published_runs ORDER BY ALL").rows == before


def test_the_tasks_of_the_upkeep(world, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", world.lake.url)
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", world.url)
    reindex(world)
    yesterday = Day.named(f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}")
    assert list(record_days.fn(yesterday.name)) == [yesterday.name]
    recorded = record_days.fn(None)
    assert len(recorded) == 6
    assert record_days.fn(None) == {}
    assert compact_warehouse.fn()["fact_day"]["files_after"] <= 2
    assert found(world) == []
