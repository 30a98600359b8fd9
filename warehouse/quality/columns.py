"""The rules of columns, judged on Arrow tables without Great Expectations."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.quality.rules import ColumnRule, column_rules
from warehouse.schemas.tables import WarehouseTable

compute: Any = pc  # the stubs know too few of its overloads


def column_violations(table: WarehouseTable, rows: pa.Table) -> tuple[int, tuple[str, ...]]:
    """Judge (n,) rows by the rules of their columns.

    Returns:
        How many rules were looked at, and what is wrong, in words, with the number of values.
    """
    judged = 0
    failures: list[str] = []
    for rule in column_rules(table):
        for name, wrong in _broken(rule, rows.column(rule.column)).items():
            judged += 1
            if wrong:
                failures.append(
                    f"{table.name}: {name} {{'column': '{rule.column}'}} unmet: {wrong}"
                )
    return judged, tuple(failures)


def _broken(rule: ColumnRule, values: Any) -> dict[str, int]:
    """Return how many values break each part of a rule; null breaks only `is_required`."""
    counts: dict[str, int] = {}
    if rule.is_required:
        counts["not_be_null"] = values.null_count
    if rule.minimum is not None:
        counts["be_at_least"] = _count(compute.less(values, rule.minimum))
    if rule.maximum is not None:
        counts["be_at_most"] = _count(compute.greater(values, rule.maximum))
    if rule.pattern is not None:
        matches = compute.match_substring_regex(values, rule.pattern)
        counts["match_regex"] = _count(compute.invert(matches))
    if rule.values is not None:
        allowed = pa.array(sorted(rule.values), pa.string())
        is_strange = compute.invert(compute.is_in(values, value_set=allowed))
        counts["be_in_set"] = _count(compute.and_(is_strange, compute.is_valid(values)))
    return counts


def _count(is_wrong: Any) -> int:
    """Return how many are true; null is not."""
    return int(compute.sum(is_wrong).as_py() or 0)
