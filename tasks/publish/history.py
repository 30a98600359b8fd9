"""Rows of the warehouse from what a job found and did: pure, over whole tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.domain.duplicates import TruthClass
from models.domain.job_events import JobEvent
from models.domain.jobs import Job, JobStatus
from models.domain.operations import Operation, OperationState
from models.domain.warehouse_rows import (
    DimFile,
    FactCategory,
    FactDuplicate,
    FactEvent,
    FactJob,
    FactOperation,
)
from warehouse.schemas.arrow import arrow_schema, to_table

if TYPE_CHECKING:
    import polars as pl

TROUBLE = (OperationState.REFUSED, OperationState.FAILED, OperationState.DEFERRED)
"""States that count as errors of a job."""

COMPARED = (
    "version",
    "size_bytes",
    "sha256",
    "mime",
    "media",
    "category",
    "subcategory",
    "captured_at",
    "problem",
)
"""Two versions of a path that are equal in all of these are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all rows of a run share."""

    run_id: str
    recorded_at: datetime

    @property
    def columns(self) -> dict[str, Any]:
        """Values by the column of `RunRow`."""
        return {
            "run_id": self.run_id,
            "recorded_at": self.recorded_at,
            "month": f"{self.recorded_at:%Y-%m}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RootHistory:
    """What a run tells of one root.

    Attributes:
        versions: (n,) rows of DimFile: new, changed and gone.
        categories: (m,) rows of FactCategory: of those versions that have one.
    """

    versions: pa.Table
    categories: pa.Table


def root_history(
    stamp: Stamp,
    root_id: str,
    files: pa.Table,
    previous: pa.Table,
    *,
    gone: Sequence[str] | None,
) -> RootHistory:
    """Return what changed in a root since the warehouse was last told.

    Args:
        stamp: of the run.
        root_id: the root.
        files: (n,) rows of `with_categories`; only arrivals count when `gone` is given.
        previous: rows of DimFile that are current, of this root.
        gone: keys that went; None when `files` is all there is, so that what is not there is gone.
    """
    import polars as pl
    import pyarrow.compute as pc

    before = pl.DataFrame(previous)
    if gone is not None:
        files = files.filter(pc.field("is_arrived"))
        named = pl.DataFrame({"key": list(gone)}, schema={"key": pl.String})
        missing = before.join(named, on="key", how="semi")
    else:
        missing = before.join(pl.DataFrame(files.select(["key"])), on="key", how="anti")
    departed = departed_rows(stamp, missing.to_arrow().cast(arrow_schema(DimFile)))
    return history_of(stamp, root_id, files, previous, departed)


def history_of(
    stamp: Stamp, root_id: str, files: pa.Table, before: pa.Table, departed: pa.Table
) -> RootHistory:
    """Return what is new or changed among files, with what departed.

    Args:
        stamp: of the run.
        root_id: the root.
        files: (n,) rows of `with_categories`.
        before: (m,) rows of `key` and `COMPARED`: what was told of these files.
        departed: (k,) rows of `departed_rows`.
    """
    import polars as pl

    same = ["key", *COMPARED]
    now = _versions(stamp, root_id, files)
    known = pl.DataFrame(before.select(same))
    changed = now.join(known, on=same, how="anti", nulls_equal=True)
    schema, decided = arrow_schema(DimFile), arrow_schema(FactCategory)
    versions = pl.concat(
        [changed.select(schema.names), pl.DataFrame(departed).select(schema.names)]
    )
    categories = changed.filter(pl.col("category").is_not_null()).select(decided.names)
    return RootHistory(
        versions=versions.sort("key").to_arrow().cast(schema),
        categories=categories.sort("key").to_arrow().cast(decided),
    )


def departed_rows(stamp: Stamp, last: pa.Table) -> pa.Table:
    """Return the rows of DimFile that tell that files are gone.

    Args:
        stamp: of the run.
        last: (k,) rows of DimFile: what was told of them last.
    """
    import polars as pl

    schema = arrow_schema(DimFile)
    told = pl.DataFrame(last).with_columns(
        *(_literal(name, value) for name, value in stamp.columns.items()),
        is_deleted=pl.lit(value=True),
        size_bytes=pl.lit(0, pl.Int64),
        category=pl.lit(None, pl.String),
        subcategory=pl.lit(None, pl.String),
    )
    return told.select(schema.names).to_arrow().cast(schema)


def _literal(name: str, value: str | datetime) -> "pl.Expr":
    import polars as pl

    kind = pl.Datetime("us", "UTC") if isinstance(value, datetime) else pl.String
    return pl.lit(value, kind).alias(name)


def _versions(stamp: Stamp, root_id: str, files: pa.Table) -> "pl.DataFrame":
    """Return the files as rows of DimFile with what FactCategory needs besides."""
    import polars as pl

    extension = pl.col("key").str.extract(r"(?s)[^/]+(\.[^./]{1,49})$").str.to_lowercase()
    return pl.DataFrame(files).with_columns(
        *(_literal(name, value) for name, value in stamp.columns.items()),
        root_id=pl.lit(root_id),
        is_deleted=pl.lit(value=False),
        modified_at=pl.from_epoch(pl.col("modified_ns") // 1000, "us").dt.replace_time_zone("UTC"),
        extension=extension.fill_null(""),
        coarse_category=pl.col("coarse_category").fill_null("Others"),
    )


def operation_rows(stamp: Stamp, operations: Iterable[Operation]) -> pa.Table:
    """Return the journal as rows of FactOperation, in its order."""
    names = [n for n in arrow_schema(FactOperation).names if n not in stamp.columns]
    rows = [
        FactOperation(
            **stamp.columns,
            **{name: getattr(operation, name) for name in names if name != "sha256"},
            sha256=operation.sha256 or None,
        )
        for operation in operations
    ]
    return to_table(rows, FactOperation)


def no_history() -> RootHistory:
    """Return what a run tells of a root in which nothing changed."""
    return RootHistory(
        versions=arrow_schema(DimFile).empty_table(),
        categories=arrow_schema(FactCategory).empty_table(),
    )


def duplicate_rows(stamp: Stamp, groups: Mapping[str, pa.Table]) -> pa.Table:
    """Return the groups of each root, rows of DuplicateRow, as rows of FactDuplicate."""
    import polars as pl

    schema = arrow_schema(FactDuplicate)
    stamped = [
        pl.DataFrame(members)
        .with_columns(
            *(_literal(name, value) for name, value in stamp.columns.items()),
            root_id=pl.lit(root_id),
        )
        .select(schema.names)
        .to_arrow()
        .cast(schema)
        for root_id, members in sorted(groups.items())
        if members.num_rows
    ]
    return pa.concat_tables([schema.empty_table(), *stamped])


def event_rows(stamp: Stamp, events: Iterable[JobEvent]) -> pa.Table:
    """Return a job's events as rows of FactEvent, in their order."""
    rows = [
        FactEvent(
            **stamp.columns,
            seq=event.seq,
            kind=event.kind,
            happened_at=event.created_at,
            data=json.dumps(event.data, sort_keys=True, default=str),
        )
        for event in events
    ]
    return to_table(rows, FactEvent)


def job_row(
    stamp: Stamp,
    job: Job,
    *,
    files: tuple[int, int],
    duplicates: pa.Table,
    states: Mapping[str, int],
) -> FactJob:
    """Return the job as it stands with all its operations closed.

    Args:
        stamp: of the run.
        job: the job.
        files: how many the source root has after it, and their bytes.
        duplicates: rows of FactDuplicate of all its roots.
        states: operations by state.
    """
    import pyarrow.compute as pc

    exact = duplicates.filter(pc.field("truth_class") == TruthClass.FULL_HASH.value)
    errors = sum(states.get(state, 0) for state in TROUBLE)
    keepers = int(pc.sum(exact.column("is_keeper")).as_py() or 0)
    return FactJob(
        **stamp.columns,
        kind=job.kind,
        status=JobStatus.COMPLETED_WITH_ERRORS if errors else JobStatus.COMPLETED,
        account_id=job.account_id,
        target_job_id=job.target_job_id,
        source_root_id=job.source_root_id,
        destination_root_id=job.destination_root_id,
        source_url=job.source_url,
        destination_url=job.destination_url,
        mode=job.options.mode,
        operation=job.options.operation,
        files_count=files[0],
        files_bytes=files[1],
        operations_count=sum(states.values()),
        done_count=states.get(OperationState.DONE, 0),
        errors_count=errors,
        duplicates_count=exact.num_rows - keepers,
        wasted_bytes=int(pc.sum(exact.column("wasted_bytes")).as_py() or 0),
        created_at=job.created_at,
        started_at=job.started_at,
    )
