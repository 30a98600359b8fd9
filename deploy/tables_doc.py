"""Write `docs/tables.md` from the tables' own comments: `python -m deploy.tables_doc [--check]`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import CheckConstraint, Column, Computed, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import DefaultClause

from models.tables.base import Base, table_of
from models.tables.schema import ACCOUNTS, ASIDE, PIPELINE, SPECIFIED, UPLOADS

DOCUMENT = Path(__file__).parent.parent / "docs" / "tables.md"

HEAD = """# Tables in Postgres

Written by `python -m deploy.tables_doc` from the comments of `models/tables`, which the database
carries too (`\\d+ files` in psql). Do not edit by hand.

"not null" means that the column always has a value; a key column is marked **key**. Times are
`timestamp with time zone`. The specification's names, types and defaults are kept; where its
columns have a default they also are "not null", unless null means something.

What tables cannot say is kept by triggers: steps of a job's life (`legal_status_step`), the next
duplicate in line when an original goes (`Promote_on_delete`, `Promote_on_trash`), counts and keeper
of a group (`settle_group`), a journal that goes with its job (`delete_journal`), notifications
(`notify_event`, `notify_outbox`, `notify_mail`, `notify_notification`), what the end of a job tells
its owner (`tell_owner`), events of sign-ups and uploads (`count_signup`, `count_upload`).
`ensure_analytics_partitions(first, months)` makes months of analytics; every upgrade makes the next
thirteen.
"""


def document() -> str:
    """Return the whole document."""
    parts = [HEAD, "\n## The specification's tables\n"]
    parts += [_table(row) for row in SPECIFIED]
    parts += ["\n## The pipeline's tables\n"]
    parts += [_table(row) for row in PIPELINE]
    parts += ["\n## The tables of accounts\n"]
    parts += [_table(row) for row in ACCOUNTS]
    parts += ["\n## The tables of uploads\n"]
    parts += [_table(row) for row in UPLOADS]
    parts += ["\n## Told and said\n"]
    parts += [_table(row) for row in ASIDE]
    return "".join(parts)


def _table(row_type: type[Base]) -> str:
    """One table as a section."""
    table = table_of(row_type)
    lines = [f"\n### {table.name}\n", f"{table.comment}\n"]
    lines += ["| column | type | default | meaning |", "|---|---|---|---|"]
    lines += [_column(column) for column in table.columns]
    lines += ["", *_rules(table)]
    return "\n".join(lines) + "\n"


def _column(column: "Column[object]") -> str:
    """One column as a row of the table."""
    name = f"`{column.name}`" + (" **key**" if column.primary_key else "")
    kind = column.type.compile(dialect=postgresql.dialect()).lower()
    kind += "" if column.nullable else ", not null"
    reference = "".join(f" (`{key.target_fullname}`)" for key in column.foreign_keys)
    return f"| {name} | {kind} | {_default(column)} | {column.comment}{reference} |"


def _default(column: "Column[object]") -> str:
    """The server's default, as written."""
    default = column.server_default
    if isinstance(default, DefaultClause):
        return f"`{getattr(default.arg, 'text', default.arg)}`"
    return "" if default is None or isinstance(default, Computed) else "counted"


def _rules(table: Table) -> Iterator[str]:
    """Unique columns, CHECKs and indexes, each in the order of their names."""
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    for constraint in sorted(unique, key=lambda constraint: str(constraint.name)):
        columns = ", ".join(column.name for column in constraint.columns)
        yield f"- unique `{constraint.name}`: `{columns}`"
    checks = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    for check in sorted(checks, key=lambda check: str(check.name)):
        yield f"- check `{check.name}`: `{check.sqltext}`"
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        where = index.dialect_options["postgresql"]["where"]
        columns = ", ".join(str(getattr(e, "name", e)) for e in index.expressions)
        kind = "unique index" if index.unique else "index"
        yield f"- {kind} `{index.name}`: `{columns}`" + (f" where `{where}`" if where else "")


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or say with `--check` whether it is current (1 when not)."""
    parser = argparse.ArgumentParser(prog="python -m deploy.tables_doc", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args(arguments).check:
        is_current = DOCUMENT.exists() and DOCUMENT.read_text() == document()
        sys.stdout.write("current\n" if is_current else "run python -m deploy.tables_doc\n")
        return 0 if is_current else 1
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
