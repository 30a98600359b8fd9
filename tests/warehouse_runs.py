"""Rows of small runs, for the tests of the warehouse."""

import dataclasses
from datetime import UTC, datetime, timedelta

from models.domain.table_refs import TableRef
from models.domain.warehouse_daily import (
    DAILY,
    Day,
    FactDay,
    FactSubscription,
    FactUsageDaily,
)
from models.domain.warehouse_rows import (
    DimFile,
    FactCategory,
    FactDuplicate,
    FactEvent,
    FactJob,
    FactOperation,
)
from warehouse.quality.invariants import measures, violations
from warehouse.schemas.arrow import to_table
from warehouse.schemas.tables import BY_NAME, tables_of
from warehouse.store.publishing import StagedRun, Verdict, rows_at_rest

START = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
SHA = "ab" * 32


def file(run, n, **changes):
    return DimFile(
        **run,
        **{
            "root_id": "root",
            "key": f"in/{n}.jpg",
            "is_deleted": False,
            "version": f"v{n}",
            "size_bytes": 10 + n,
            "modified_at": START,
            "sha256": f"{n:064x}",
            "md5": f"{n:032x}",
            "extension": ".jpg",
            "mime": "image/jpeg",
            "media": "image",
            "content_label": "jpeg",
            "category": "Photos",
            "subcategory": None,
            "coarse_category": "Images",
            "captured_at": "2021-02-03T04:05:06",
            "captured_source": "exif",
            "problem": None,
        }
        | changes,
    )


def rows_of_run(run_id="run-1", *, n=5, at=START, **changes):
    run = {"run_id": run_id, "recorded_at": at, "month": f"{at:%Y-%m}"}
    job = FactJob(
        **run,
        kind="organize",
        status="completed",
        account_id=None,
        target_job_id=None,
        source_root_id="root",
        destination_root_id="root",
        mode="category_year",
        operation="move",
        files_count=n,
        files_bytes=1,
        operations_count=n,
        done_count=n - 1,
        errors_count=1,
        duplicates_count=1,
        wasted_bytes=11,
        created_at=at,
        started_at=None,
    )
    operations = [
        FactOperation(
            **run,
            seq=i,
            unit_id=f"u{i}",
            action="move",
            state="done" if i else "failed",
            source_url="file:///x",
            source_key=f"{i}.jpg",
            destination_url="file:///x",
            destination_key=f"in/{i}.jpg",
            size_bytes=i,
            sha256=SHA,
            keeper_key=None,
            reason="r",
            error=None,
        )
        for i in range(n)
    ]
    duplicates = [
        FactDuplicate(
            **run,
            root_id="root",
            group_id=SHA,
            key=f"in/{i}.jpg",
            is_keeper=i == 0,
            truth_class="full_hash",
            similarity_ratio=1.0,
            size_bytes=11,
            is_hardlink=False,
            wasted_bytes=11 * i,
            keep_reason="oldest",
            is_removable=i > 0,
        )
        for i in range(2)
    ]
    categories = [
        FactCategory(
            **run,
            root_id="root",
            key=f"in/{i}.jpg",
            sha256=f"{i:064x}",
            category="Photos",
            subcategory=None,
            coarse_category="Images",
            confidence_ratio=0.9,
            reason="r",
            decided_by="rule",
        )
        for i in range(n)
    ]
    events = [
        FactEvent(**run, seq=i, kind="job:progress", happened_at=at, data="{}") for i in (1, 2, 3)
    ]
    return {
        "dim_file": [file(run, i) for i in range(n)],
        "fact_job": [job],
        "fact_operation": operations,
        "fact_duplicate": duplicates,
        "fact_category": categories,
        "fact_event": events,
    } | changes


def stage(lake, rows, run_id="run-1") -> StagedRun:
    tables: dict[str, TableRef] = {
        name: lake.write_part(
            to_table(items, BY_NAME[name].row),
            uri=f"runs/{run_id}/publish/{name}.parquet",
            table_name=name,
        )
        for name, items in rows.items()
    }
    n = len(rows.get("fact_operation", ()))
    expected = {
        "operations in state done": n - 1,
        "operations in state failed": 1,
        "operations of the job": n,
        "operations done, of the job": n - 1,
    }
    return StagedRun(
        run_id=run_id, kind="organize", root_id="root", tables=tables, expected=expected
    )


def second_run(lake, *, without_duplicates=False):
    """A later run in which file 0 grew, file 1 is gone and file 9 is new."""
    later = START + timedelta(days=1)
    rows = rows_of_run("run-2", n=10, at=later)
    if without_duplicates:
        rows["fact_duplicate"] = []
        job = rows["fact_job"][0]
        rows["fact_job"] = [dataclasses.replace(job, duplicates_count=0, wasted_bytes=0)]
    rows["dim_file"] = [
        *(row for row in rows["dim_file"] if row.key in {"in/0.jpg", "in/9.jpg"}),
        dataclasses.replace(rows["dim_file"][1], category=None, is_deleted=True),
    ]
    if not without_duplicates:
        further = dataclasses.replace(rows["fact_duplicate"][1], key="in/more/1.jpg")
        rows["fact_duplicate"][1] = further
    rows["fact_category"] = [
        row for row in rows["fact_category"] if row.key in {"in/0.jpg", "in/9.jpg"}
    ]
    return stage(lake, rows, "run-2")


def day_run(lake, day="2026-02-01"):
    """A day with one paying account."""
    at = Day.named(day).end
    run = {"run_id": f"daily-{day}", "recorded_at": at, "month": f"{at:%Y-%m}", "day": day}
    counts = dict.fromkeys(("erasures", "jobs", "passives", "detractors"), 0)
    counts |= dict.fromkeys(("accounts", "signups", "files", "promoters"), 1)
    totals = {f"{name}_count": value for name, value in counts.items()}
    account = {"account_id": "a", "tier": "pro", "is_system": False, "is_erased": False}
    used = {"files_count": 1, "duplicates_count": 0, "jobs_count": 0, "jobs_failed_count": 0}
    rows = {
        "fact_day": [FactDay(**run, **totals, files_bytes=5)],
        "fact_usage_daily": [
            FactUsageDaily(
                **run, **account, **used, files_bytes=5, signed_up_at=at, last_login_at=None
            )
        ],
        "fact_subscription": [
            FactSubscription(
                **run,
                subscription_id="s",
                account_id="a",
                plan_id="pro",
                status="active",
                billing_interval="month",
                monthly_price_cents=999,
                is_ending=False,
                started_at=at,
                ended_at=None,
            )
        ],
    }
    staged = stage(lake, rows, f"daily-{day}")
    return dataclasses.replace(staged, kind=DAILY, root_id="", expected={})


def sound(lake):
    """A judge that is quick: the invariants alone."""

    def judge(run: StagedRun) -> Verdict:
        found = measures(rows_at_rest(lake, run.run_id, tables_of(run.kind)), run)
        return Verdict(expectations=len(found), failures=violations(found))

    return judge
