"""A day's rows, worked out once and frozen in the lake, then published like any run."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic import TypeAdapter

from models.domain.errors import InvalidError, MissingError
from models.domain.table_refs import TableRef
from models.domain.warehouse_daily import DAILY, Day, DayFacts
from models.domain.warehouse_rows import PublishedRun
from tasks.publish.history import Stamp
from warehouse.quality.expectations import judge
from warehouse.schemas.arrow import to_table
from warehouse.schemas.tables import BY_NAME, DAILY_TABLES
from warehouse.store.parts import Lake
from warehouse.store.publishing import StagedRun, Verdict, publish, rows_at_rest, settled

CATCH_UP_DAYS = 7
"""Days that are recorded later when nobody did on the day: as long as a week's holiday."""


class DayLedger(Protocol):
    """What recording a day needs of the ledger."""

    def day_facts(self, day: Day, *, stamp: dict[str, Any]) -> DayFacts:
        """Return all rows of a day, read in one moment."""
        ...


def days_to_record(lake: Lake, *, now: datetime) -> list[Day]:
    """Return the days before today that nobody recorded yet, oldest first, a week back at most."""
    today = Day.named(f"{now.astimezone(UTC):%Y-%m-%d}").start
    days = [Day(start=today - timedelta(days=n)) for n in range(CATCH_UP_DAYS, 0, -1)]
    return [day for day in days if settled(lake, day.run_id) is None]


def record_day(lake: Lake, ledger: DayLedger, day: Day, *, now: datetime) -> PublishedRun:
    """Publish a day that is over; recorded again, it is as it was.

    Args:
        lake: where the warehouse is.
        ledger: what Postgres knows.
        day: which.
        now: what its rows say as `recorded_at`, when it was not begun before.

    Raises:
        InvalidError: the day is not over.
        BusyError: others commit without end, or Postgres does not answer.
    """
    if day.end > now:
        raise InvalidError(f"{day.name} is not over yet (UTC)")
    return publish(lake, _staged(lake, ledger, day, now), lambda run: _judged(lake, run))


def _judged(lake: Lake, run: StagedRun) -> Verdict:
    return judge(rows_at_rest(lake, run.run_id, DAILY_TABLES), run, lake)


def _staged(lake: Lake, ledger: DayLedger, day: Day, now: datetime) -> StagedRun:
    """Return the frozen rows of a day."""
    document = f"runs/{day.run_id}/publish/staged.json"
    try:
        return TypeAdapter(StagedRun).validate_json(lake.read_blob(document))
    except MissingError:
        pass
    facts = ledger.day_facts(day, stamp=Stamp(run_id=day.run_id, recorded_at=now).columns)
    rows: dict[str, Sequence[Any]] = {
        "fact_day": [facts.totals],
        "fact_usage_daily": facts.usage,
        "fact_subscription": facts.subscriptions,
        "fact_job_end": facts.job_ends,
    }
    tables: dict[str, TableRef] = {
        name: lake.write_part(
            to_table(items, BY_NAME[name].row),
            uri=f"runs/{day.run_id}/publish/{name}.parquet",
            table_name=name,
        )
        for name, items in rows.items()
    }
    run = StagedRun(run_id=day.run_id, kind=DAILY, root_id="", tables=tables, expected={})
    lake.write_blob(document, TypeAdapter(StagedRun).dump_json(run))
    return run
