"""Analysts see what was published, by SQL, and nothing else."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import typer
from typer.testing import CliRunner
from warehouse_runs import START, rows_of_run, second_run, sound, stage

from cli import sql
from models.domain.errors import ForbiddenError, InvalidError
from warehouse.asking import ask
from warehouse.catalog import describe, named_queries, table_docs
from warehouse.connect import connect
from warehouse.schemas.tables import BY_NAME
from warehouse.store.delta import Warehouse
from warehouse.store.parts import open_lake
from warehouse.store.publishing import append_run, publish
from warehouse.store.upkeep import compact

DOCS = Path(__file__).parents[2] / "docs" / "warehouse.md"


@pytest.fixture
def lake(tmp_path):
    lake = open_lake(str(tmp_path / "lake"))
    publish(lake, stage(lake, rows_of_run()), sound(lake))
    return lake


def given(query, value):
    return dict.fromkeys(query.parameters, value) | {
        name: "2026-03-01" for name in query.parameters if name == "moment"
    }


def test_views_have_the_columns_that_are_documented(lake):
    with connect(lake) as connection:
        for table in table_docs():
            result = connection.execute(f"FROM {table.name}")
            assert [column[0] for column in result.description] == [c.name for c in table.columns]


def test_an_empty_warehouse_answers_with_no_rows(tmp_path):
    empty = open_lake(str(tmp_path / "none"))
    for table in table_docs():
        assert ask(empty, f"FROM {table.name}").rows == ()
    for query in named_queries().values():
        assert ask(empty, query.sql, parameters=given(query, "x")).rows == ()
    assert not (tmp_path / "none").exists()


def test_the_history_of_a_path_is_told(lake):
    assert publish(lake, second_run(lake), sound(lake)).reasons is None
    files = ask(lake, "SELECT key, run_id FROM files ORDER BY key").rows
    runs = {"in/0.jpg": "run-2", "in/9.jpg": "run-2"}
    kept = ("in/0.jpg", "in/2.jpg", "in/3.jpg", "in/4.jpg", "in/9.jpg")
    assert files == tuple((key, runs.get(key, "run-1")) for key in kept)
    history = named_queries()["history_of_a_path"].sql
    gone = ask(lake, history, parameters={"key": "in/1.jpg"})
    told = [
        (row["valid_to"], row["is_current"], row["is_deleted"])
        for row in (dict(zip(gone.columns, values, strict=True)) for values in gone.rows)
    ]
    assert told == [(START + timedelta(days=1), False, False), (None, True, True)]


def test_a_root_is_told_as_it_was(lake):
    publish(lake, second_run(lake), sound(lake))
    first = tuple((f"in/{n}.jpg", 10 + n) for n in range(5))
    at = "SELECT key, size_bytes FROM files_at($moment) ORDER BY key"
    assert ask(lake, at, parameters={"moment": "2026-01-31 22:59:59"}).rows == ()
    assert ask(lake, at, parameters={"moment": "2026-01-31 23:00:00"}).rows == first
    assert ask(lake, at, parameters={"moment": "2026-02-01"}).rows == first
    now = ask(lake, "SELECT key, size_bytes FROM files ORDER BY key").rows
    assert ask(lake, at, parameters={"moment": "2026-03-01"}).rows == now
    after = "SELECT key, size_bytes FROM files_after($run) ORDER BY key"
    assert ask(lake, after, parameters={"run": "run-1"}).rows == first
    assert ask(lake, after, parameters={"run": "run-2"}).rows == now
    assert ask(lake, after, parameters={"run": "none"}).rows == ()
    named = named_queries()["root_at_a_moment"]
    parameters = {"root_id": "root", "moment": "2026-02-01"}
    assert len(ask(lake, named.sql, parameters=parameters).rows) == 5


def test_functions_have_the_columns_of_files(lake):
    with connect(lake) as connection:
        columns = {c[0] for c in connection.execute("FROM files").description}
        for call in ("files_at('2026-03-01')", "files_after('run-1')"):
            found = connection.execute(f"FROM {call}").description
            assert {c[0] for c in found} == columns


def test_a_run_that_is_not_marked_is_not_seen(lake):
    append_run(lake, second_run(lake))
    assert ask(lake, "SELECT DISTINCT run_id FROM dim_file").rows == (("run-1",),)
    assert ask(lake, "SELECT count(*) FROM fact_job").rows == ((1,),)


def test_a_run_that_is_not_marked_is_not_seen_beside_others_in_a_file(lake):
    append_run(lake, stage(lake, rows_of_run("run-2"), "run-2"))
    compact(lake, now=START, keep_days=0, quarantine_days=90)
    files = Warehouse(lake).files(BY_NAME["dim_file"])
    assert None in {file.run_id for file in files}
    assert ask(lake, "SELECT DISTINCT run_id FROM dim_file").rows == (("run-1",),)
    assert ask(lake, "SELECT count(*) FROM fact_job").rows == ((1,),)


INTERRUPTED = """
import os, signal, threading
from warehouse.connect import connect
connection = connect()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
connection.execute("SELECT count(*) FROM files AS a, files AS b, range(100_000_000)").fetchall()
"""


def test_a_program_that_is_interrupted_ends_in_order(lake):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, "FILEORGANIZER_LAKE_URL": lake.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "nterrupt" in done.stderr


def test_a_connection_keeps_the_state_of_its_moment(lake):
    with connect(lake) as connection:
        publish(lake, second_run(lake), sound(lake))
        assert connection.execute("SELECT count(*) FROM files").fetchall() == [(5,)]
        assert connection.execute("SELECT count(*) FROM fact_job").fetchall() == [(1,)]


def test_duplicates_are_those_of_the_newest_run(lake):
    assert len(ask(lake, "FROM duplicates").rows) == 2
    assert publish(lake, second_run(lake, without_duplicates=True), sound(lake)).reasons is None
    assert len(ask(lake, "FROM fact_duplicate").rows) == 2
    assert ask(lake, "FROM duplicates").rows == ()


def test_named_queries_answer(lake):
    answers = {
        name: ask(lake, query.sql, parameters=given(query, "run-1")).rows
        for name, query in named_queries().items()
    }
    assert answers["space_by_category"] == (("Photos", 5, 60, 100.0),)
    assert answers["files_by_year"] == (("2021", 5, 60, 5),)
    assert answers["space_wasted"] == (("root", "Photos", 1, 11),)
    assert [row[0] for row in answers["biggest_files"]] == [14, 13, 12, 11, 10]
    assert len(answers["operations_of_a_job"]) == 5
    assert [row[0] for row in answers["jobs"]] == ["run-1"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A lake for tests that only read."""
    lake = open_lake(str(tmp_path_factory.mktemp("kept") / "lake"))
    publish(lake, stage(lake, rows_of_run()), sound(lake))
    return lake


OUTSIDE = [
    "FROM read_text('{secret}')",
    "FROM read_text('{warehouse}/../secret.txt')",
    "FROM read_csv('{secret}')",
    "FROM '{secret}'",
    "FROM read_blob('/proc/self/environ')",
    "FROM read_parquet('{warehouse}/dim_file/**/*.parquet')",
    "FROM parquet_metadata('{warehouse}/dim_file/**/*.parquet')",
    "FROM glob('{warehouse}/**')",
    "FROM glob('/etc/*')",
    "ATTACH '{warehouse}/new.db'",
    "ATTACH 'http://127.0.0.1:9/x.db'",
    "FROM 'http://127.0.0.1:9/x.parquet'",
    "FROM 's3://bucket/x.parquet'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/any.duckdb_extension'",
    "INSTALL h3 FROM community",
    "COPY (SELECT 1) TO '{warehouse}/x.csv'",
    "COPY (SELECT 1) TO '{part}' (FORMAT parquet)",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY fact_job FROM '{secret}'",
    "EXPORT DATABASE '{warehouse}/export'",
    "IMPORT DATABASE '{warehouse}/export'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '/tmp'",
    "PRAGMA profiling_output = '{warehouse}/profile.json'",
    "SET python_enable_replacements = true",
    "SELECT getenv('HOME')",
    "FROM a_variable",
    "CREATE PERSISTENT SECRET s (TYPE s3)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{warehouse}/x.csv'",
    "FROM query('FROM read_text(''{secret}'')')",
    "FROM query_table('{secret}')",
    "FROM sniff_csv('{secret}')",
    "FROM read_json('{secret}')",
    "FROM read_duckdb('{warehouse}/x.db')",
    "FROM files_at((SELECT content FROM read_text('{secret}')))",
    "PREPARE p AS COPY (SELECT 1) TO '{warehouse}/x.csv'",
    "SET VARIABLE a = (SELECT content FROM read_text('{secret}'))",
    "SET custom_extension_repository = 'http://127.0.0.1:9'",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list; SET lock_configuration = false",
    "COPY (SELECT 1) TO 'lake://new' (FORMAT csv)",
    "COPY (SELECT 1) TO 'lake://0' (FORMAT parquet)",
    "COPY (SELECT 1 AS a, 2 AS b) TO 'lake://folder' (FORMAT parquet, PARTITION_BY (a))",
    "EXPORT DATABASE 'lake://folder'",
    "ATTACH 'lake://0' AS other",
    "ATTACH 'lake://new' AS other",
    "FROM 'lake://0'",
    "FROM 'lake://*'",
    "FROM read_parquet('lake://*')",
    "FROM read_text('lake://../secret.txt')",
    "FROM read_text('lake://{secret}')",
]


@pytest.mark.parametrize("attempt", OUTSIDE)
def test_every_door_but_the_views_is_shut(kept, attempt, monkeypatch):
    outside = Path(kept.url).parent
    monkeypatch.setenv("HOME", str(outside))
    secret = outside / "secret.txt"
    secret.write_text("secret")
    folder = Path(kept.path("warehouse"))
    part = next(folder.glob("dim_file/*/*.parquet"))
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    a_variable = [1]
    assert a_variable
    query = attempt.format(secret=secret, warehouse=folder, part=part)
    with connect(kept) as connection, pytest.raises(duckdb.Error):
        connection.execute(query).fetchall()
    with pytest.raises((ForbiddenError, InvalidError)):
        ask(kept, query)
    assert before == {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}


WITH_EFFECTS = [
    "CALL enable_logging(storage = 'file', storage_path = '{warehouse}/log')",
    "FROM enable_logging(storage = 'file', storage_path = '{warehouse}/log')",
    "SELECT * FROM range(1), (SELECT * FROM system.main.Enable_Logging(storage = 'file'))",
    "WITH a AS (FROM enable_profiling(save_location = '{warehouse}/x', format = 'json')) FROM a",
    "EXPLAIN ANALYZE FROM enable_logging(storage = 'file', storage_path = '{warehouse}/log')",
    "/* */ EXPLAIN FROM enable_logging()",
    "SELECT (SELECT count(*) FROM query('FROM enable_logging()'))",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM enable_logging()'))",
    "FROM disable_logging()",
    "FROM read_parquet('lake://0')",
    "FROM checkpoint()",
    "ATTACH ':memory:' AS other",
]


@pytest.mark.parametrize("attempt", WITH_EFFECTS)
def test_a_query_has_no_effects(kept, attempt):
    with pytest.raises(ForbiddenError):
        ask(kept, attempt.format(warehouse=kept.path("warehouse")))


@pytest.mark.parametrize(
    "query",
    [
        "EXPLAIN SELECT count(*) FROM files",
        "explain analyze FROM files",
        "FROM (DESCRIBE files)",
        "SUMMARIZE files",
        "SHOW TABLES",
        "WITH n AS (FROM range(3)) SELECT * FROM n, files, unnest([1, 2]) AS u(x)",
        "SELECT view_name FROM duckdb_views() WHERE NOT internal",
        "VALUES (1)",
        "-- a comment\nTABLE files",
        "FROM files UNION ALL BY NAME FROM files_after('run-1')",
        "FROM files SELECT category, count(*) GROUP BY ALL",
    ],
)
def test_a_query_may_read_in_all_ways(kept, query):
    assert ask(kept, query).rows != ()


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        (
            "SELECT * FROM filez",
            InvalidError,
            "There are: files, file_versions, duplicates, kpi_daily, dim_root, dim_file",
        ),
        ("SELECT nme FROM files", InvalidError, "nme"),
        ("SELEC 1", InvalidError, "syntax error"),
        ("SELECT 1; SELECT 2", InvalidError, "one query at a time; this is 2"),
        ("", InvalidError, "this is 0"),
        ("DROP VIEW files", ForbiddenError, "read-only: SELECT is allowed, DROP is not"),
        ("CREATE TABLE t (a INT)", ForbiddenError, "CREATE is not"),
        ("SET threads = 1", ForbiddenError, "SET is not"),
        ("COPY files TO 'x'", ForbiddenError, "COPY is not"),
        ("FROM read_text('/etc/passwd')", ForbiddenError, "reads the warehouse's tables and noth"),
    ],
)
def test_errors_teach(kept, query, error, says):
    with pytest.raises(error, match=says.replace("(", r"\(")):
        ask(kept, query)


def test_answers_are_cut_and_say_so(lake):
    answer = ask(lake, "SELECT key FROM files ORDER BY key", limit=2)
    assert answer.rows == (("in/0.jpg",), ("in/1.jpg",))
    assert answer.is_cut
    assert not ask(lake, "FROM files", limit=5).is_cut
    assert ask(lake, "SHOW TABLES").rows != ()


@pytest.fixture
def run(lake, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", lake.url)
    app = typer.Typer()
    sql.register(app)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_command_prints_one_document(run):
    done = run("SELECT key, size_bytes, modified_at FROM files ORDER BY key", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["columns"] == ["key", "size_bytes", "modified_at"]
    first = {"key": "in/0.jpg", "size_bytes": 10, "modified_at": "2026-01-31T23:00:00+00:00"}
    assert document["rows"][0] == first
    assert document["is_cut"] is False


def test_the_command_prints_csv_and_tables(run):
    printed = run("SELECT key, size_bytes FROM files ORDER BY key", "--csv", "--limit", "2")
    assert list(csv.reader(io.StringIO(printed.stdout))) == [
        ["key", "size_bytes"],
        ["in/0.jpg", "10"],
        ["in/1.jpg", "11"],
    ]
    assert "only the first 2 rows" in printed.stderr
    assert "Photos" in run("space_by_category").stdout
    assert "[bold]x" in run("SELECT '[bold]x' AS name").stdout
    listed = json.loads(run("--tables", "--json").stdout)
    assert [table["name"] for table in listed["tables"]] == [t.name for t in table_docs()]
    assert "Storage root the file lives in." in run("--tables").stdout.replace("\n", " ")


def test_the_command_teaches(run):
    unknown = run("SELECT * FROM filez", "--json")
    assert unknown.exit_code == 2
    assert "There are: files" in json.loads(unknown.stdout)["error"]["message"]
    assert "--param key=..." in run("history_of_a_path").stderr
    assert run("history_of_a_path", "--param", "key").exit_code == 2
    assert run("history_of_a_path", "--param", "key=in/1.jpg").exit_code == 0
    assert run().exit_code == 2


def test_the_documentation_is_current():
    text = DOCS.read_text("utf-8")
    assert describe() in text, "run: python -m warehouse.catalog docs/warehouse.md"


def test_the_documented_ways_to_connect_work(lake):
    blocks = DOCS.read_text("utf-8").split("```python\n")[1:]
    assert len(blocks) >= 2
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block.split("```")[0]],
            env={**os.environ, "FILEORGANIZER_LAKE_URL": lake.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Photos" in done.stdout
