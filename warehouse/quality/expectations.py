"""The Great Expectations suites that judge a run before anybody sees it.

Great Expectations costs 6 CPU seconds to import, 1 to judge a small run and 2 more for every
100,000 files (measured), so only the task that judges imports it. It reads pandas frames: DuckDB
relations and Arrow tables are not taken (DESIGN 12). A suite's `success` alone proves nothing: an
expectation that died of an exception is told by its `exception_info`, so both are read.

A run that tells of no file (a second run over an unchanged collection: its job, its events, the
groups there still are) is judged by the same rules in Arrow: seven seconds would be most of it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from warehouse.quality.columns import column_violations
from warehouse.quality.docs import DataDocs
from warehouse.quality.invariants import Measure, measures, violations
from warehouse.quality.rules import ColumnRule, column_rules
from warehouse.schemas.tables import BY_NAME, WarehouseTable
from warehouse.store.parts import Lake
from warehouse.store.publishing import StagedRun, Verdict

FILE_TABLES = ("dim_file", "fact_operation", "fact_category")
"""What tells of files: a run with no row in any of them found and changed nothing."""

SLICE_ROWS = 250_000
"""Rows judged at once: about 300 MB of frames at most. What only the whole table can tell (counts,
identities, references) is measured by DuckDB and judged with the run."""


def _expectations() -> Any:
    """Return the catalog of expectations; typed loosely, it exports none of them by name."""
    import great_expectations.expectations as gxe

    return gxe


def _column_expectations(rule: ColumnRule) -> list[Any]:
    gxe = _expectations()
    found: list[Any] = []
    if rule.is_required:
        found.append(gxe.ExpectColumnValuesToNotBeNull(column=rule.column))
    if rule.minimum is not None or rule.maximum is not None:
        found.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=rule.column, min_value=rule.minimum, max_value=rule.maximum
            )
        )
    if rule.pattern is not None:
        found.append(gxe.ExpectColumnValuesToMatchRegex(column=rule.column, regex=rule.pattern))
    if rule.values is not None:
        values = sorted(rule.values)
        found.append(gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=values))
    return found


def _table_expectations(table: WarehouseTable) -> list[Any]:
    gxe = _expectations()
    found = [each for rule in column_rules(table) for each in _column_expectations(rule)]
    first, *others = table.identity
    if others:
        found.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=[first, *others]))
    else:
        found.append(gxe.ExpectColumnValuesToBeUnique(column=first))
    return found


def _context() -> Any:
    """Return a context in memory that draws no bars, writes no files and calls nobody."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _explained(where: str, result: Any) -> str | None:
    """Return what is wrong with one expectation's result, or None."""
    config = result.expectation_config
    arguments = {k: v for k, v in config.kwargs.items() if k in {"column", "column_list"}}
    name = f"{where}: {config.type} {arguments or ''}".rstrip()
    infos = result.exception_info or {}
    nested = [infos] if "raised_exception" in infos else list(infos.values())
    raised = [each for each in nested if each.get("raised_exception")]
    if raised:
        return f"{name} raised {raised[0].get('exception_message')}"
    if result.success:
        return None
    details = result.result
    return f"{name} unmet: {details.get('unexpected_count', details.get('observed_value'))}"


def _judge_frame(
    context: Any, where: str, frame: Any, expectations: list[Any], docs: DataDocs
) -> list[str]:
    """Return what is wrong with one frame, and describe it."""
    import great_expectations as gx

    source = context.data_sources.add_pandas(where)
    asset = source.add_dataframe_asset(where)
    definition = asset.add_batch_definition_whole_dataframe(where)
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name=where, expectations=expectations)
    outcome = batch.validate(suite, result_format="BASIC")
    docs.add(where, outcome)
    found = [reason for each in outcome.results if (reason := _explained(where, each))]
    if len(outcome.results) != len(expectations):
        found.append(f"{where}: {len(outcome.results)} of {len(expectations)} expectations ran")
    if not outcome.success and not found:
        found.append(f"{where}: the suite failed and no expectation says why")
    return found


def judge(tables: Mapping[str, pa.Table], run: StagedRun, lake: Lake | None = None) -> Verdict:
    """Judge a run's rows at rest.

    Args:
        tables: (n,) rows by table, all of the run.
        run: what was staged, with what the ledger counted.
        lake: where Data Docs of the run are kept (`docs_uri`); nowhere unless given.

    Returns:
        How many expectations judged and what was unmet; an expectation that raised is unmet.
    """
    measured = measures(tables, run)
    docs = DataDocs()
    if any(name in tables and tables[name].num_rows for name in FILE_TABLES):
        verdict = _judge_with_files(tables, measured, docs)
    else:
        verdict = _judge_without_files(tables, measured)
    if lake is not None:
        docs.keep(lake, run, verdict, measured)
    return verdict


def _judge_with_files(
    tables: Mapping[str, pa.Table], measured: tuple[Measure, ...], docs: DataDocs
) -> Verdict:
    failures: list[str] = list(violations(measured))
    count = len(measured)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' deprecations are not ours to mend
        import pandas as pd

        context = _context()
        frame = pd.DataFrame([asdict(each) for each in measured])
        equal = _expectations().ExpectColumnPairValuesToBeEqual(
            column_A="actual", column_B="expected"
        )
        failures += _judge_frame(context, "run", frame, [equal], docs)
        for name, rows in tables.items():
            expectations = _table_expectations(BY_NAME[name])
            count += len(expectations)
            for first in range(0, rows.num_rows, SLICE_ROWS):
                part = rows.slice(first, SLICE_ROWS).to_pandas()
                failures += _judge_frame(context, _part_name(name, first), part, expectations, docs)
    return Verdict(expectations=count, failures=tuple(failures))


def _part_name(table: str, first: int) -> str:
    return f"{table} from row {first}" if first else table


def _judge_without_files(tables: Mapping[str, pa.Table], measured: tuple[Measure, ...]) -> Verdict:
    """Judge a run that tells of no file; identities are among the measures."""
    judged = [column_violations(BY_NAME[name], rows) for name, rows in tables.items()]
    return Verdict(
        expectations=len(measured) + sum(count for count, _ in judged),
        failures=(*violations(measured), *(each for _, found in judged for each in found)),
    )
