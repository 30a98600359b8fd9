"""A run is published once, whole or not at all, wherever it is killed and however often begun."""

import dataclasses
import itertools
import json
import socket
from datetime import timedelta

import pyarrow as pa
import pytest
from warehouse_runs import START, rows_of_run, sound, stage

from models.domain.errors import CorruptError
from models.domain.warehouse_rows import PublishedRun, RunStatus
from warehouse.quality import expectations
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.tables import BY_NAME, DAILY_TABLES, DATA_TABLES, PUBLISHED_RUNS
from warehouse.store.delta import Warehouse
from warehouse.store.parts import open_lake
from warehouse.store.publishing import (
    append_run,
    publish,
    rows_at_rest,
    settled,
)


def counts(lake):
    return {name: table_rows(seen) for name, seen in Warehouse(lake).seen().items()}


def table_rows(seen):
    return seen.num_rows if isinstance(seen, pa.Table) else seen.count_rows()


def versions(lake):
    written = (*DATA_TABLES, PUBLISHED_RUNS)
    return {table.name: Warehouse(lake)._open(table).version() for table in written}


WHOLE = {
    "dim_file": 5,
    "fact_job": 1,
    "fact_operation": 5,
    "fact_duplicate": 2,
    "fact_category": 5,
    "fact_event": 3,
    "published_runs": 1,
} | dict.fromkeys((table.name for table in DAILY_TABLES), 0)
STEPS = [*(f"append {table.name}" for table in DATA_TABLES), "judge", "mark"]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def dying(*at):
    """A watcher that dies before the steps numbered, in turn over all attempts."""
    step = itertools.count()

    def watch(_name):
        if next(step) in at:
            raise Killed

    return watch


@pytest.fixture
def lake(tmp_path):
    return open_lake(str(tmp_path))


def test_a_published_run_is_seen_once(lake):
    run = stage(lake, rows_of_run())
    steps = []
    marker = publish(lake, run, sound(lake), on_step=steps.append)
    assert (marker.status, marker.reasons, marker.rows_count) == (RunStatus.PUBLISHED, None, 21)
    assert json.loads(marker.row_counts)["fact_event"] == 3
    assert steps == STEPS
    assert counts(lake) == WHOLE
    before = versions(lake)
    assert publish(lake, run, sound(lake)) == marker
    assert sum(append_run(lake, run).values()) == 0
    after = versions(lake)
    assert (counts(lake), after) == (WHOLE, before)


@pytest.mark.parametrize("first", range(len(STEPS)), ids=STEPS)
def test_killed_at_any_step_the_old_is_seen_and_the_next_attempt_gives_one_copy(lake, first):
    for second in (None, first + 1 + first):  # alone, and again during the second attempt
        fresh = open_lake(f"{lake.url}/{second}")
        publish(fresh, stage(fresh, rows_of_run("run-0"), "run-0"), sound(fresh))
        run = stage(fresh, rows_of_run())
        watch = dying(first) if second is None else dying(first, second)
        attempts = 0
        while True:
            attempts += 1
            try:
                publish(fresh, run, sound(fresh), on_step=watch)
                break
            except Killed:
                assert counts(fresh) == WHOLE
        assert attempts >= 2
        assert counts(fresh) == {name: 2 * count for name, count in WHOLE.items()}


def test_a_kill_after_the_mark_changes_nothing(lake):
    run = stage(lake, rows_of_run())
    publish(lake, run, sound(lake))
    with pytest.raises(Killed):
        append_run(lake, run, on_step=dying(0))
    assert counts(lake) == WHOLE


def test_a_run_that_fails_is_quarantined_for_good(lake):
    rows = rows_of_run()
    rows["dim_file"].append(rows["dim_file"][0])
    run = stage(lake, rows)
    marker = publish(lake, run, sound(lake))
    assert marker.status == RunStatus.QUARANTINED
    assert marker.reasons == "repeated identities in dim_file: 1, and it must be 0"
    assert counts(lake) == dict.fromkeys(WHOLE, 0) | {"published_runs": 1}
    assert publish(lake, run, sound(lake)) == marker
    publish(lake, stage(lake, rows_of_run("run-2"), "run-2"), sound(lake))
    assert counts(lake) == WHOLE | {"published_runs": 2}


def test_a_staged_part_that_was_changed_is_never_appended(lake):
    run = stage(lake, rows_of_run())
    lake.write_blob(run.tables["fact_job"].uri, b"other")
    with pytest.raises(CorruptError):
        publish(lake, run, sound(lake))
    assert settled(lake, "run-1") is None


BROKEN = [
    ("dim_file", {"sha256": "AB" * 32}, "match_regex {'column': 'sha256'} unmet: 1"),
    ("dim_file", {"size_bytes": -1}, "be_between {'column': 'size_bytes'} unmet: 1"),
    ("dim_file", {"media": "imago"}, "be_in_set {'column': 'media'} unmet: 1"),
    ("dim_file", {"captured_at": "3.2.2021"}, "match_regex {'column': 'captured_at'}"),
    ("dim_file", {"key": "in/0.jpg"}, "dim_file: expect_compound_columns_to_be_unique"),
    ("fact_category", {"confidence_ratio": 1.5}, "{'column': 'confidence_ratio'}"),
    ("fact_category", {"key": "in/99.jpg"}, "categories of no file version: 3, and it must be 0"),
    ("fact_category", {"category": "Audio"}, "run: expect_column_pair_values_to_be_equal"),
    ("fact_operation", {"state": "failed"}, "operations in state done: 8, and it must be 9"),
    ("fact_operation", {"action": "burn"}, "be_in_set {'column': 'action'} unmet: 1"),
    ("fact_duplicate", {"group_id": "x"}, "duplicate groups of one: 2"),
    ("fact_event", {"seq": 9}, "gaps in the numbers of events: 6"),
    ("fact_job", {"wasted_bytes": 12}, "bytes wasted by no duplicate, of the job: 1"),
]


def test_the_expectations_find_all_that_is_wrong(lake):
    rows = rows_of_run(n=10)
    last = dict.fromkeys(rows, 0)
    for table, changes, _reason in BROKEN:
        last[table] -= 1
        rows[table][last[table]] = dataclasses.replace(rows[table][last[table]], **changes)
    run = stage(lake, rows)
    append_run(lake, run)
    verdict = expectations.judge(rows_at_rest(lake, "run-1"), run)
    missed = [why for *_, why in BROKEN if not any(why in each for each in verdict.failures)]
    assert missed == [], verdict.failures


def test_rows_of_another_run_are_missed(lake):
    rows = rows_of_run(fact_event=rows_of_run("other")["fact_event"])
    marker = publish(lake, stage(lake, rows), sound(lake))
    assert marker.reasons == "rows of fact_event: 0, and it must be 3"


def test_the_expectations_pass_a_sound_run_and_call_nobody(lake, monkeypatch):
    def refused(*_args):
        raise AssertionError("a socket was opened")

    run = stage(lake, rows_of_run())
    monkeypatch.setattr(socket.socket, "connect", refused)
    marker = publish(lake, run, expected(lake))
    assert (marker.reasons, marker.status) == (None, RunStatus.PUBLISHED)
    assert marker.expectations_count > 100


def expected(lake):
    return lambda run: expectations.judge(rows_at_rest(lake, run.run_id), run)


def test_an_expectation_that_raises_is_a_failure(lake):
    run = stage(lake, rows_of_run())
    append_run(lake, run)
    tables = rows_at_rest(lake, "run-1")
    tables["fact_job"] = tables["fact_job"].drop_columns(["account_id", "mode"])
    verdict = expectations.judge(tables, run)
    assert any("raised" in failure and "mode" in failure for failure in verdict.failures)


def test_months_are_partitions(lake):
    for n in range(3):
        at = START + timedelta(days=20 * n)
        publish(lake, stage(lake, rows_of_run(f"r{n}", at=at), f"r{n}"), sound(lake))
    delta = Warehouse(lake)._open(BY_NAME["dim_file"])
    months = {partition["month"] for partition in delta.partitions()}
    assert months == {"2026-01", "2026-02", "2026-03"}
    described = delta.schema().to_json()
    assert "Whether this version says that the file is gone" in described


def test_the_marker_says_what_it_should(lake):
    publish(lake, stage(lake, rows_of_run()), sound(lake))
    rows = Warehouse(lake).rows_of(PUBLISHED_RUNS, run_id="run-1")
    assert to_rows(rows, PublishedRun) == [settled(lake, "run-1")]
    assert settled(lake, "run-2") is None
