"""Whole tables in and out of Postgres: Arrow to COPY and back, no Python object per value."""

import io
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

BATCH_ROWS = 65_536
"""Rows turned into text at once: some 20 MB, whatever the table's size."""


def copy_in(driver: "psycopg.Connection[Any]", table: pa.Table, *, into: LiteralString) -> None:
    """Append (n,) rows to a table of Postgres whose columns have the same names.

    Arrow writes CSV in C++ (strings quoted, nulls not), which costs less than encoding COPY's
    binary format value by value in Python.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(into),
        sql.SQL(", ").join(sql.Identifier(name) for name in table.schema.names),
    )
    with driver.cursor().copy(statement) as copy:
        for chunk in _chunks(table):
            copy.write(chunk)


def _chunks(table: pa.Table) -> Iterator[bytes]:
    """A table as CSV, a batch at a time."""
    options = csv.WriteOptions(include_header=False, batch_size=BATCH_ROWS)
    for first in range(0, table.num_rows, BATCH_ROWS):
        sink = io.BytesIO()
        csv.write_csv(table.slice(first, BATCH_ROWS), sink, options)
        yield sink.getvalue()


def copy_out(
    driver: "psycopg.Connection[Any]", query: sql.Composable, schema: pa.Schema
) -> pa.Table:
    """Return the rows of a query, in its order, as a table of `schema`."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)").format(query)
    buffer = io.BytesIO()
    with driver.cursor().copy(statement) as copy:
        for chunk in copy:
            buffer.write(chunk)
    if buffer.tell() == 0:
        return schema.empty_table()
    buffer.seek(0)
    return csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(column_names=schema.names),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).cast(schema)
