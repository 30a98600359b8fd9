"""The rules of columns judged without Great Expectations find what Great Expectations find."""

import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from models.domain.warehouse_rows import FactDuplicate, FactEvent, FactJob
from warehouse.quality import expectations
from warehouse.quality.columns import column_violations
from warehouse.quality.rules import column_rules
from warehouse.schemas.arrow import to_table
from warehouse.schemas.tables import BY_NAME, DATA_TABLES
from warehouse.store.publishing import StagedRun

RUN = {"run_id": "r", "recorded_at": datetime(2026, 1, 1, tzinfo=UTC), "month": "2026-01"}


def duplicate(**changes):
    values = {
        "root_id": "root",
        "group_id": "ab" * 32,
        "key": "a",
        "is_keeper": True,
        "truth_class": "full_hash",
        "similarity_ratio": 1.0,
        "size_bytes": 11,
        "is_hardlink": False,
        "wasted_bytes": 0,
        "keep_reason": "oldest",
        "is_removable": False,
    }
    return FactDuplicate(**RUN, **(values | changes))


def job(**changes):
    values = {
        "kind": "reindex",
        "status": "completed",
        "account_id": None,
        "target_job_id": None,
        "source_root_id": "root",
        "destination_root_id": "root",
        "mode": "category_year",
        "operation": "move",
        "files_count": 1,
        "files_bytes": 1,
        "operations_count": 0,
        "done_count": 0,
        "errors_count": 0,
        "duplicates_count": 0,
        "wasted_bytes": 0,
        "created_at": RUN["recorded_at"],
        "started_at": None,
    }
    return FactJob(**RUN, **(values | changes))


def tables_of(jobs, duplicates=(), events=None):
    if events is None:
        events = [FactEvent(**RUN, seq=1, kind="x", happened_at=RUN["recorded_at"], data="{}")]
    rows = {"fact_job": jobs, "fact_duplicate": duplicates, "fact_event": events}
    return {table.name: to_table(rows.get(table.name, []), table.row) for table in DATA_TABLES}


def staged(tables) -> StagedRun:
    expected = {f"rows of {name}": rows.num_rows for name, rows in tables.items()}
    expected |= {"operations of the job": 0, "operations done, of the job": 0}
    return StagedRun(run_id="r", kind="reindex", root_id="root", tables={}, expected=expected)


@pytest.mark.parametrize(
    ("table", "rows", "column"),
    [
        ("fact_job", [job(kind="burn")], "kind"),
        ("fact_job", [job(files_count=-1)], "files_count"),
        ("fact_job", [job(wasted_bytes=-1)], "wasted_bytes"),
        ("fact_duplicate", [duplicate(truth_class="guess")], "truth_class"),
        ("fact_duplicate", [duplicate(similarity_ratio=1.5)], "similarity_ratio"),
        ("fact_duplicate", [duplicate(similarity_ratio=-0.5)], "similarity_ratio"),
        ("fact_duplicate", [duplicate(), duplicate(size_bytes=-5)], "size_bytes"),
    ],
)
def test_each_broken_rule_is_named_with_its_column(table, rows, column):
    found = BY_NAME[table]
    judged, failures = column_violations(found, to_table(rows, found.row))
    assert judged >= len(column_rules(found))
    assert len(failures) == 1
    assert f"'{column}'" in failures[0]
    assert failures[0].endswith("unmet: 1")


def test_nulls_break_what_is_required_and_nothing_else():
    found = BY_NAME["fact_job"]
    rows = to_table([job(), job()], found.row)
    at = rows.schema.get_field_index("kind")
    rows = rows.set_column(at, "kind", pa.array(["reindex", None], pa.string()))
    failures = column_violations(found, rows)[1]
    assert failures == ("fact_job: not_be_null {'column': 'kind'} unmet: 1",)


def test_forms_are_held():
    found = BY_NAME["dim_file"]
    row = dict.fromkeys(to_table([], found.row).schema.names)
    rows = pa.Table.from_pylist(
        [row | {"sha256": "AB" * 32}, row | {"sha256": "ab" * 32}, row],
        schema=to_table([], found.row).schema,
    )
    failures = column_violations(found, rows)[1]
    assert [f for f in failures if "match_regex" in f] == [
        "dim_file: match_regex {'column': 'sha256'} unmet: 1"
    ]


def test_a_run_that_tells_of_no_file_is_judged_without_great_expectations(monkeypatch):
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    tables = tables_of([job()])
    verdict = expectations.judge(tables, staged(tables))
    assert verdict.failures == ()
    assert verdict.expectations > 40


def test_such_a_run_is_refused_for_broken_columns_and_for_broken_invariants(monkeypatch):
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    tables = tables_of([job(kind="burn", wasted_bytes=3)])
    failures = expectations.judge(tables, staged(tables)).failures
    assert any("be_in_set {'column': 'kind'}" in each for each in failures)
    assert any("bytes wasted by no duplicate" in each for each in failures)


def test_a_run_that_tells_of_a_file_needs_great_expectations(monkeypatch):
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    tables = tables_of([job()])
    row = dict.fromkeys(tables["dim_file"].schema.names)
    tables["dim_file"] = pa.Table.from_pylist([row], schema=tables["dim_file"].schema)
    with pytest.raises(ImportError):
        expectations.judge(tables, staged(tables))
