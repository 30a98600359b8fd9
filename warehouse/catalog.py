"""What there is to query: tables, views and named queries, with their descriptions.

`python -m warehouse.catalog docs/warehouse.md` writes them into the documentation.
"""

import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from models.domain.warehouse_daily import KpiDaily
from models.domain.warehouse_rows import DimRoot
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.tables import TABLES

_VIEW_COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "dim_file": (
        ("valid_from", "timestamp[us, tz=UTC]", "When this version was first recorded, UTC."),
        ("valid_to", "timestamp[us, tz=UTC]", "When the next was; null for the newest."),
        ("is_current", "bool", "Whether it is the newest version of its path."),
    ),
    "fact_job": (("undone_by", "string", "Run that undid the job; null when none."),),
}
"""Columns that views add to their tables."""

_VIEWS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "files": (
        "dim_file",
        "The files there are now: the newest version of each path that is not gone.",
        ("is_deleted", "valid_to", "is_current"),
    ),
    "file_versions": (
        "dim_file",
        "Every version of every file, without the end of its time: the quickest to count over.",
        ("valid_from", "valid_to", "is_current"),
    ),
    "duplicates": (
        "fact_duplicate",
        "The duplicate groups there are now: those of the newest run of each root.",
        (),
    ),
}
"""Views of their own: what they come from, what they say, the columns they leave out."""

_MARTS: tuple[tuple[str, type], ...] = (("kpi_daily", KpiDaily), ("dim_root", DimRoot))
"""Views that count: their names and the rows they give."""

FUNCTIONS: tuple[tuple[str, str], ...] = (
    (
        "files_at(moment)",
        "The files there were at a moment (`'2026-03-01'`), with the columns of `files`.",
    ),
    (
        "files_after(run_id)",
        "The files there were when a run had been published, whatever came later.",
    ),
)
"""Table functions: how they are called, and what they give."""

_STATEMENTS = ("views.sql", "marts.sql")
"""Files of statements, in their order; the other files are queries by name."""

_HEADING = "\n## Tables\n\n"
"""Below it, the documentation is generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDoc:
    """One column: its Arrow type, whether it may be null, and what a value means."""

    name: str
    type: str
    is_nullable: bool
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDoc:
    """One table or view as analysts see it."""

    name: str
    doc: str
    columns: tuple[ColumnDoc, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """A query with a name, a description and the parameters it takes."""

    name: str
    doc: str
    sql: str
    parameters: tuple[str, ...]


def _columns(name: str, row: type) -> tuple[ColumnDoc, ...]:
    schema = arrow_schema(row)
    own = [
        ColumnDoc(
            name=field.name,
            type=str(field.type),
            is_nullable=field.nullable,
            doc=(field.metadata or {}).get(b"doc", b"").decode(),
        )
        for field in schema
    ]
    added = [
        ColumnDoc(name=column, type=kind, is_nullable="null" in doc, doc=doc)
        for column, kind, doc in _VIEW_COLUMNS.get(name, ())
    ]
    return (*own, *added)


def _first_line(row: type) -> str:
    return (row.__doc__ or "").strip().splitlines()[0]


def table_docs() -> tuple[TableDoc, ...]:
    """Return all tables and views, views and marts first, each with its columns in order."""
    tables = {
        table.name: TableDoc(
            name=table.name,
            doc=_first_line(table.row),
            columns=_columns(table.name, table.row),
        )
        for table in TABLES
    }
    views = [
        TableDoc(
            name=name,
            doc=doc,
            columns=tuple(c for c in tables[source].columns if c.name not in without),
        )
        for name, (source, doc, without) in _VIEWS.items()
    ]
    marts = [
        TableDoc(name=name, doc=_first_line(row), columns=_columns(name, row))
        for name, row in _MARTS
    ]
    return (*views, *marts, *tables.values())


def views_sql() -> str:
    """Return the statements that make the views and functions."""
    folder = files("warehouse.queries")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in _STATEMENTS)


def named_queries() -> dict[str, NamedQuery]:
    """Return the queries analysts ask most, by name, sorted."""
    found: dict[str, NamedQuery] = {}
    for file in sorted(files("warehouse.queries").iterdir(), key=lambda each: each.name):
        name = file.name.removesuffix(".sql")
        if name == file.name or file.name in _STATEMENTS:
            continue
        text = file.read_text("utf-8")
        doc = " ".join(line[2:].strip() for line in text.splitlines() if line.startswith("--"))
        body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        parameters = tuple(dict.fromkeys(re.findall(r"\$(\w+)", body)))
        found[name] = NamedQuery(
            name=name, doc=doc, sql=body.strip().rstrip(";"), parameters=parameters
        )
    return found


def describe() -> str:
    """Return the documentation of all tables and queries as Markdown, for `docs/warehouse.md`."""
    lines: list[str] = []
    for table in table_docs():
        lines += [f"### `{table.name}`", "", table.doc, "", "| column | type | meaning |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| `{c.name}` | {c.type.split('[')[0]}{', or null' if c.is_nullable else ''} "
            f"| {c.doc.replace('|', '/')} |"
            for c in table.columns
        ]
        lines.append("")
    lines += ["### Functions", "", "| function | what it gives |", "|---|---|"]
    lines += [f"| `{call}` | {doc} |" for call, doc in FUNCTIONS]
    lines += ["", "### Queries by name", "", "| query | what it tells |", "|---|---|"]
    lines += [f"| `{query.name}` | {query.doc} |" for query in named_queries().values()]
    return "\n".join(lines) + "\n"


def write_description(document: Path) -> None:
    """Replace what is below the heading `## Tables` of a Markdown document by `describe()`."""
    head, heading, _ = document.read_text("utf-8").partition(_HEADING)
    document.write_text(head + heading + describe(), "utf-8")


if __name__ == "__main__":
    write_description(Path(sys.argv[1]))
