"""Arrow schemas derived from the rows' dataclasses, and rows to tables and back."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import pyarrow as pa

Row = TypeVar("Row")

_ARROW: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def _arrow_type(annotation: Any) -> tuple[pa.DataType, bool]:
    """Return the Arrow type of an annotation and whether it admits null."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        inner = [part for part in typing.get_args(annotation) if part is not types.NoneType]
        return _arrow_type(inner[0])[0], True
    for python, arrow in _ARROW.items():
        if isinstance(annotation, type) and issubclass(annotation, python):
            if python is int and issubclass(annotation, bool):
                continue
            return arrow, False
    raise TypeError(f"no Arrow type for {annotation!r}")


@cache
def arrow_schema(row_type: type) -> pa.Schema:
    """Return the Arrow schema of a row dataclass; each field carries its `doc` as metadata.

    Raises:
        TypeError: a field's type has no Arrow counterpart.
    """
    hints = typing.get_type_hints(row_type)
    fields: list[pa.Field[Any]] = []
    for field in dataclasses.fields(row_type):
        kind, nullable = _arrow_type(hints[field.name])
        doc = str(field.metadata.get("doc", ""))
        fields.append(pa.field(field.name, kind, nullable=nullable, metadata={"doc": doc}))
    return pa.schema(fields, metadata={"row": row_type.__name__})


def to_table(rows: Iterable[Any], row_type: type) -> pa.Table:
    """Return (n,) rows as a table of the type's schema, in the order given."""
    items = list(rows)
    schema = arrow_schema(row_type)
    columns = [
        pa.array([getattr(row, name) for row in items], type=schema.field(name).type)
        for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def to_rows(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """Return the table's (n,) rows as dataclasses, in its order; extra columns are ignored."""
    names = [field.name for field in dataclasses.fields(typing.cast("Any", row_type))]
    columns: Sequence[list[Any]] = [table.column(name).to_pylist() for name in names]
    return [
        row_type(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)
    ]
