"""The warehouse grows columns, is compacted, checked and rebuilt, and shows the same rows."""

import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from warehouse_runs import START, day_run, rows_of_run, second_run, sound, stage

from models.domain.embeddings import EmbeddingRow
from models.domain.errors import CorruptError
from models.domain.warehouse_rows import DimFile, RunStatus
from warehouse.asking import ask
from warehouse.attaching import attach_script
from warehouse.catalog import table_docs
from warehouse.connect import connect
from warehouse.quality.checkup import check_up
from warehouse.schemas.arrow import arrow_schema, to_table
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.schemas.tables import BY_NAME, TABLES
from warehouse.store.contents import ContentRows
from warehouse.store.delta import POINTER, Warehouse
from warehouse.store.parts import open_lake
from warehouse.store.publishing import append_run, publish
from warehouse.store.rebuilding import put_in_place, rebuild
from warehouse.store.upkeep import compact

DIM_FILE = BY_NAME["dim_file"]
ADDED = ("problem", "captured_source")
USUAL = {"keep_days": 7, "quarantine_days": 90}
AT_ONCE = {"keep_days": 0, "quarantine_days": 90}


@pytest.fixture
def lake(tmp_path):
    lake = open_lake(str(tmp_path / "lake"))
    for run in (stage(lake, rows_of_run()), second_run(lake), day_run(lake)):
        assert publish(lake, run, sound(lake)).status == RunStatus.PUBLISHED
    return lake


def shown(lake):
    """All that readers see, by table and view."""
    with connect(lake) as connection:
        return {
            table.name: sorted(connection.execute(f"FROM {table.name}").fetchall(), key=repr)
            for table in table_docs()
        }


def broken_run(lake, run_id="broken"):
    rows = rows_of_run(run_id)
    rows["dim_file"].append(rows["dim_file"][0])
    return stage(lake, rows, run_id)


def test_a_new_column_does_not_break_old_runs(tmp_path):
    lake = open_lake(str(tmp_path))
    warehouse = Warehouse(lake)
    old = pa.schema([field for field in arrow_schema(DimFile) if field.name not in ADDED])
    rows = to_table(rows_of_run("run-0")["dim_file"], DimFile).select(old.names)
    DeltaTable.create(warehouse.uri("dim_file"), schema=old, partition_by=["month"])
    once = CommitProperties(app_transactions=[Transaction("run-0", 1)])
    write_deltalake(warehouse.uri("dim_file"), rows, mode="append", commit_properties=once)
    run = stage(lake, rows_of_run("run-0"), "run-0")
    assert publish(lake, run, sound(lake)).status == RunStatus.PUBLISHED
    asked = "SELECT run_id, captured_source, count(*) FROM dim_file GROUP BY ALL ORDER BY ALL"
    assert ask(lake, asked).rows == (("run-0", None, 5),)
    publish(lake, stage(lake, rows_of_run(at=START + timedelta(days=1))), sound(lake))
    assert ask(lake, asked).rows == (("run-0", None, 5), ("run-1", "exif", 5))
    assert len(ask(lake, "FROM files").rows) == 5
    fields = {field.name: field for field in DeltaTable(warehouse.uri("dim_file")).schema().fields}
    assert fields["captured_source"].nullable
    assert "Where that date came from" in fields["captured_source"].metadata["comment"]
    assert not fields["key"].nullable


def test_rows_of_an_older_release_go_into_a_newer_table(lake):
    warehouse = Warehouse(lake)
    wider = pa.table({"run_id": ["x"], "month": ["2026-01"], "novel": ["n"]})
    delta = DeltaTable(warehouse.uri("fact_event"))
    fields = [*pa.schema(delta.schema().to_arrow()), pa.field("novel", pa.string())]
    nullable = pa.schema([field.with_nullable(True) for field in fields])
    columns = [
        wider[field.name].cast(field.type)
        if field.name in wider.schema.names
        else pa.nulls(1, field.type)
        for field in nullable
    ]
    empty = pa.Table.from_arrays(columns, schema=nullable).slice(0, 0)
    write_deltalake(delta, empty, mode="append", schema_mode="merge")
    before = len(ask(lake, "FROM fact_event").rows)
    publish(lake, stage(lake, rows_of_run("run-9"), "run-9"), sound(lake))
    assert len(ask(lake, "FROM fact_event").rows) == before + 3


def test_compaction_changes_no_row_and_repeats_nothing(lake):
    before = shown(lake)
    done = compact(lake, now=START, **AT_ONCE)
    assert done["fact_job"] == {
        "files_before": 2,
        "files_after": 2,  # of two months
        "files_removed": 0,
        "rows_dropped": 0,
    }
    assert done["published_runs"]["files_before"] == 3
    assert done["published_runs"]["files_after"] == 1
    assert done["published_runs"]["files_removed"] >= 3
    assert shown(lake) == before
    for run in (stage(lake, rows_of_run()), second_run(lake)):
        assert sum(append_run(lake, run).values()) == 0
    assert shown(lake) == before
    assert check_up(lake) == []
    compact(lake, now=START, **AT_ONCE)
    assert shown(lake) == before


def kept(key):
    """A vector of a content, made of its hash."""
    vector = bytes.fromhex(key[-16:])
    return EmbeddingRow(sha256=key, model_id="m", tower="text", dimension=2, vector=vector)


VECTORS = {key: kept(key) for key in (f"{n:064x}" for n in range(4))}


def add_vectors(lake):
    rows = ContentRows(lake, EMBEDDINGS)
    for number, (key, row) in enumerate(VECTORS.items()):
        rows.add({key: row}, made_by=f"job-{number}")
    return rows


def test_the_cache_of_vectors_is_compacted_too(lake):
    rows = add_vectors(lake)
    done = compact(lake, now=START, **AT_ONCE)["embeddings"]
    assert (done["files_before"], done["files_after"], done["rows_dropped"]) == (4, 1, 0)
    add_vectors(lake)
    assert rows.of(VECTORS) == VECTORS
    assert sum(batch.num_rows for batch in rows.batches()) == 4


def replaced_files_stay(lake):
    """Whether the version before a compaction can be read after it, and for how long."""
    uri = Warehouse(lake).uri("published_runs")
    options = Warehouse(lake)._options()
    before = DeltaTable(uri, storage_options=options)
    rows = before.to_pyarrow_table().num_rows

    def read_again():
        old = DeltaTable(uri, version=before.version(), storage_options=options)
        return old.to_pyarrow_table().num_rows

    assert compact(lake, now=START, **USUAL)["published_runs"]["files_removed"] == 0
    assert read_again() == rows
    assert compact(lake, now=START, **AT_ONCE)["published_runs"]["files_removed"] > 0
    with pytest.raises(OSError, match=r"(?i)not found|no such file"):
        read_again()


def test_files_that_a_compaction_replaced_stay_for_as_long_as_is_set(lake):
    replaced_files_stay(lake)


def test_a_connection_made_before_a_compaction_goes_on(lake):
    with connect(lake) as connection:
        compact(lake, now=START, **USUAL)
        assert connection.execute("SELECT count(*) FROM files").fetchone() == (5,)


def test_quarantine_is_visible_and_its_rows_go_after_a_while(lake):
    before = shown(lake)["dim_file"]
    assert publish(lake, broken_run(lake), sound(lake)).status == RunStatus.QUARANTINED
    (finding,) = check_up(lake)
    assert (finding.grade, finding.where) == ("problem", "run broken")
    assert "repeated identities in dim_file" in finding.what
    assert shown(lake)["dim_file"] == before
    compact(lake, now=START + timedelta(days=90), **USUAL)
    assert Warehouse(lake).rows_of(DIM_FILE, run_id="broken").num_rows == 6
    done = compact(lake, now=START + timedelta(days=91), **USUAL)
    assert done["dim_file"]["rows_dropped"] == 6
    assert Warehouse(lake).rows_of(DIM_FILE, run_id="broken").num_rows == 0
    assert shown(lake)["dim_file"] == before
    assert [finding.where for finding in check_up(lake)] == ["run broken"]


def test_what_is_lost_or_doubled_is_found(lake):
    append_run(lake, stage(lake, rows_of_run("begun"), "begun"))
    assert {finding.grade for finding in check_up(lake)} == {"note"}
    delta = DeltaTable(Warehouse(lake).uri("fact_event"))
    delta.delete("run_id = 'run-1' AND seq = 2")
    rows = to_table(rows_of_run()["fact_operation"][:1], BY_NAME["fact_operation"].row)
    write_deltalake(Warehouse(lake).uri("fact_operation"), rows, mode="append")
    problems = [finding for finding in check_up(lake) if finding.grade == "problem"]
    assert [(finding.where, finding.what) for finding in problems] == [
        ("fact_operation", "6 rows of run run-1, and it wrote 5"),
        ("fact_event", "2 rows of run run-1, and it wrote 3"),
    ]


def test_rebuilt_it_equals_the_original(lake):
    publish(lake, broken_run(lake), sound(lake))
    append_run(lake, stage(lake, rows_of_run("begun"), "begun"))
    before = shown(lake)
    made = rebuild(lake, ["run-1", "run-2", "daily-2026-02-01", "broken", "begun", "unknown"])
    assert made.runs == 4
    assert made.is_equal, made.differences
    assert made.rows["dim_file"] == 8
    assert shown(lake) == before
    put_in_place(lake, made)
    assert Warehouse(lake).folder == made.folder
    shutil.rmtree(lake.path("warehouse"))
    assert shown(lake) == before
    publish(lake, stage(lake, rows_of_run("run-3"), "run-3"), sound(lake))
    assert len(ask(lake, "FROM fact_job").rows) == 3


def test_rebuilt_it_keeps_the_vectors_that_cost_hours(lake):
    add_vectors(lake)
    made = rebuild(lake, ["run-1", "run-2", "daily-2026-02-01"])
    assert made.carried == {"embeddings": 4}
    put_in_place(lake, made)
    assert ContentRows(lake, EMBEDDINGS).of(VECTORS) == VECTORS
    again = rebuild(lake, ["run-1", "run-2", "daily-2026-02-01"])
    assert (again.carried, again.is_equal) == ({"embeddings": 4}, True)


def test_vectors_that_are_lost_do_not_stop_a_rebuild(lake):
    add_vectors(lake)
    for path in Path(Warehouse(lake).uri("embeddings")).glob("*.parquet"):
        path.unlink()
    made = rebuild(lake, ["run-1", "run-2", "daily-2026-02-01"])
    assert (made.carried, made.is_equal) == ({"embeddings": None}, False)
    assert set(made.differences.values()) == {0}
    put_in_place(lake, made)
    assert add_vectors(lake).of(VECTORS) == VECTORS


def test_rebuilt_it_tells_from_a_damaged_original(lake):
    before = shown(lake)
    DeltaTable(Warehouse(lake).uri("fact_event")).delete("seq = 2")
    shutil.rmtree(Path(Warehouse(lake).uri("fact_category")) / "month=2026-01")
    made = rebuild(lake, ["run-1", "run-2", "daily-2026-02-01"])
    assert not made.is_equal
    assert made.differences["fact_event"] == 2
    assert made.differences["fact_category"] is None
    assert made.differences["dim_file"] == 0
    put_in_place(lake, made)
    assert shown(lake) == before
    lake.write_blob(POINTER, b"../elsewhere")
    with pytest.raises(CorruptError):
        Warehouse(lake)


def test_a_lost_file_is_a_problem(lake):
    shutil.rmtree(Path(Warehouse(lake).uri("fact_category")) / "month=2026-01")
    assert any(finding.where == "fact_category" for finding in check_up(lake))
    assert len(TABLES) == 11


@pytest.mark.service
def test_on_s3_it_is_looked_after_too(s3_endpoint, s3_bucket):
    lake = open_lake(f"s3://{s3_bucket}/a lake", s3_endpoint_url=s3_endpoint)
    for run in (stage(lake, rows_of_run()), second_run(lake)):
        publish(lake, run, sound(lake))
    before = shown(lake)
    add_vectors(lake)
    replaced_files_stay(lake)
    assert len(Warehouse(lake).files(BY_NAME["published_runs"])) == 1
    assert shown(lake) == before
    made = rebuild(lake, ["run-1", "run-2"])
    assert made.is_equal
    assert made.carried == {"embeddings": 4}
    put_in_place(lake, made)
    assert Warehouse(lake).folder == made.folder
    assert shown(lake) == before
    assert check_up(lake) == []
    assert f"s3://{s3_bucket}/a lake/{made.folder}/dim_file/month=2026-01/" in attach_script(lake)
