"""Other ways into the warehouse: a file, a script, frames, and the questions of the cookbook."""

import re
from pathlib import Path

import duckdb
import pytest
import typer
from typer.testing import CliRunner
from warehouse_runs import START, day_run, file, rows_of_run, second_run, sound, stage

from cli import warehouse as commands
from models.domain.errors import ForbiddenError, InvalidError
from warehouse.asking import ask
from warehouse.attaching import attach_script, write_attachable
from warehouse.catalog import table_docs
from warehouse.frames import frame, scan
from warehouse.store.parts import open_lake
from warehouse.store.publishing import append_run, publish

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
QUESTIONS = dict(
    re.findall(r"## (\d+\. [^\n]+)\n\n```sql\n(.*?);\n```", COOKBOOK.read_text("utf-8"), re.DOTALL)
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two runs, the second with a file of another root and one that cannot be read, and a day."""
    lake = open_lake(str(tmp_path_factory.mktemp("warehouse") / "it's a lake"))
    first = rows_of_run()
    run = {"run_id": "run-1", "recorded_at": START, "month": "2026-01"}
    first["dim_file"] += [
        file(run, 0, root_id="other", category=None),
        file(run, 7, root_id="other", category=None, sha256=None, problem="encrypted"),
    ]
    for staged in (stage(lake, first), second_run(lake), day_run(lake)):
        assert publish(lake, staged, sound(lake)).reasons is None
    return lake


def test_there_are_twenty_questions():
    assert [int(title.split(".")[0]) for title in QUESTIONS] == list(range(1, 21))


@pytest.mark.parametrize("title", QUESTIONS)
def test_each_question_of_the_cookbook_is_answered(lake, title):
    assert ask(lake, QUESTIONS[title]).rows != ()


def test_answers_of_the_cookbook_are_right(lake):
    def answer(number):
        title = next(title for title in QUESTIONS if title.startswith(f"{number}."))
        return ask(lake, QUESTIONS[title]).rows

    assert answer(5) == (("in/1.jpg", "gone"), ("in/9.jpg", "new"))
    assert answer(6) == (("root", "in/1.jpg", 11),)
    assert answer(11)[0][:3] == ("in", "in/more", 1)
    assert answer(12)[0][1:] == (2, 2, 10)
    assert answer(15) == (("encrypted", 1, "in/7.jpg"),)
    assert answer(19)[0][:5] == ("2026-02-01", 1, 1, 100.0, 9.99)
    assert [row[:3] for row in answer(20)] == [
        ("published", "daily", 1),
        ("published", "organize", 2),
    ]


@pytest.mark.parametrize("with_data", [False, True])
def test_a_file_for_other_tools_shows_what_the_warehouse_shows(lake, tmp_path, with_data):
    target = tmp_path / "it's.duckdb"
    write_attachable(lake, target, with_data=with_data)
    write_attachable(lake, target, with_data=with_data)
    assert [path.name for path in tmp_path.iterdir()] == ["it's.duckdb"]
    with duckdb.connect(str(target), read_only=True) as connection:
        for table in table_docs():
            count = f"SELECT count(*) FROM {table.name}"
            assert tuple(connection.execute(count).fetchall()) == ask(lake, count).rows
        found = connection.execute("FROM files ORDER BY root_id, key").fetchall()
        assert [row[4] for row in found] == [
            row[0] for row in ask(lake, "SELECT key FROM files ORDER BY root_id, key").rows
        ]
        with pytest.raises(duckdb.Error, match="read-only"):
            connection.execute("CREATE TABLE t (a INT)")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{str(target).replace(chr(39), chr(39) * 2)}' AS w (READ_ONLY)")
        assert connection.execute("SELECT count(*) FROM w.files").fetchone() == (len(found),)


def test_the_script_needs_no_extension_and_hides_what_is_not_published(tmp_path):
    lake = open_lake(str(tmp_path))
    publish(lake, stage(lake, rows_of_run()), sound(lake))
    append_run(lake, second_run(lake))
    with duckdb.connect(config={"autoload_known_extensions": False}) as connection:
        connection.execute(attach_script(lake))
        assert connection.execute("SELECT DISTINCT run_id FROM files").fetchall() == [("run-1",)]
        assert connection.execute("FROM kpi_daily").fetchall() == []


def test_frames(lake):
    assert frame("files", lake).height == len(ask(lake, "FROM files").rows)
    by_root = frame(
        "SELECT root_id FROM files WHERE key = $key", lake, parameters={"key": "in/7.jpg"}
    )
    assert by_root.to_dicts() == [{"root_id": "other"}]
    assert scan("fact_job", lake).select("run_id").collect().sort("run_id").to_dicts() == [
        {"run_id": "run-1"},
        {"run_id": "run-2"},
    ]
    with pytest.raises(InvalidError, match="one of: dim_file"):
        scan("files", lake)
    with pytest.raises(duckdb.Error):
        frame("SELECT * FROM read_text('/etc/passwd')", lake)


def test_the_command_writes_and_prints(lake, tmp_path, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", lake.url)
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path))
    root = typer.Typer()
    commands.register(root)
    run = CliRunner().invoke
    assert run(root, ["warehouse", "attach"]).stdout.strip() == str(tmp_path / "warehouse.duckdb")
    assert (tmp_path / "warehouse.duckdb").stat().st_size > 0
    assert "CREATE VIEW files" in run(root, ["warehouse", "attach", "--script"]).stdout
    nowhere = str(tmp_path / "none" / "x.duckdb")
    refused = run(root, ["warehouse", "attach", nowhere])
    assert refused.exit_code == 2
    with pytest.raises(ForbiddenError):
        write_attachable(lake, Path(nowhere))
