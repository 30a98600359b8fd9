"""`docs/tables.md` says what the tables are."""

from deploy import tables_doc
from models.tables.schema import METADATA


def test_is_current():
    assert tables_doc.DOCUMENT.read_text() == tables_doc.document(), (
        "run python -m deploy.tables_doc"
    )


def test_names_every_table_and_column_with_its_meaning():
    text = tables_doc.document()
    for table in METADATA.sorted_tables:
        assert f"### {table.name}\n" in text
        section = text.split(f"### {table.name}\n")[1].split("\n### ")[0]
        for column in table.columns:
            assert column.comment
            assert f"| `{column.name}`" in section
            assert column.comment in section


def test_the_check_fails_when_it_is_not_current(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables_doc, "DOCUMENT", tmp_path / "docs" / "tables.md")
    assert tables_doc.main(["--check"]) == 1
    assert tables_doc.main([]) == 0
    assert tables_doc.main(["--check"]) == 0
    assert capsys.readouterr().out.splitlines() == ["run python -m deploy.tables_doc", "current"]
