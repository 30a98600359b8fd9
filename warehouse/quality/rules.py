"""What must be true of each column, read from its name, type and description."""

import dataclasses
import re
import types
import typing
from dataclasses import dataclass
from enum import StrEnum

from models.domain.duplicates import TruthClass
from models.domain.fingerprint import DateSource, Media
from models.domain.jobs import JobKind
from models.domain.operations import REMOVE, OperationState
from models.domain.plans import Action
from models.domain.warehouse_rows import RunStatus
from warehouse.schemas.tables import WarehouseTable

_ENUMS: tuple[type[StrEnum], ...] = (
    Media,
    DateSource,
    JobKind,
    TruthClass,
    OperationState,
    RunStatus,
)
_VALUES: dict[str, frozenset[str]] = {
    **{enum.__name__: frozenset(map(str, enum)) for enum in _ENUMS},
    "Action": frozenset({*map(str, Action), REMOVE}),
}
"""Values of a column whose description names the enum, as in "a `Media`"."""

_PATTERNS: dict[str, str] = {
    "sha256": r"^[0-9a-f]{64}$",
    "md5": r"^[0-9a-f]{32}$",
    "month": r"^\d{4}-(0[1-9]|1[0-2])$",
    "day": r"^\d{4}-\d{2}-\d{2}$",
    "captured_at": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}",
}
"""Forms the descriptions promise."""

_COUNTED = ("_bytes", "_count", "_cents")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """What must be true of every value of one column.

    Attributes:
        is_required: whether null is refused.
        minimum: smallest value; None when any.
        maximum: greatest value; None when any.
        pattern: regular expression of values that are there; None when any.
        values: the values there may be; None when any.
    """

    column: str
    is_required: bool
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    values: frozenset[str] | None = None


def _admits_null(annotation: object) -> bool:
    return isinstance(annotation, types.UnionType) and types.NoneType in typing.get_args(annotation)


def _named_values(doc: str) -> frozenset[str] | None:
    """Return the values of the enum that a description names."""
    named = re.search(r"\ban? `(\w+)`", doc)
    return _VALUES.get(named.group(1)) if named else None


def column_rules(table: WarehouseTable) -> tuple[ColumnRule, ...]:
    """Return the rules of a table's columns, in the order of its columns."""
    hints = typing.get_type_hints(table.row)
    rules: list[ColumnRule] = []
    for field in dataclasses.fields(table.row):
        is_ratio = field.name.endswith("_ratio")
        is_counted = field.name.endswith(_COUNTED) or field.name == "seq"
        rules.append(
            ColumnRule(
                column=field.name,
                is_required=not _admits_null(hints[field.name]),
                minimum=0 if is_ratio or is_counted else None,
                maximum=1 if is_ratio else None,
                pattern=_PATTERNS.get(field.name),
                values=_named_values(str(field.metadata.get("doc", ""))),
            )
        )
    return tuple(rules)
