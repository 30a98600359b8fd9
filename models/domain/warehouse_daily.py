"""Rows that a day leaves in the warehouse: accounts, what they pay, jobs that ended, and KPIs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models.domain.columns import column
from models.domain.errors import InvalidError
from models.domain.warehouse_rows import RunRow

DAILY = "daily"
"""Kind of the run that records a day."""

MONTHLY_PRICE_CENTS: dict[str, int] = {"free": 0, "pro": 999, "business": 2999}
"""Price list (product specification, "Pricing"); what is not in it is custom and unknown here."""


def monthly_price_cents(plan_id: str, interval: str | None) -> int | None:
    """Return what a subscription brings in a month, in US cents; None where the list has no price.

    Args:
        plan_id: plan of the price list.
        interval: `month`, or None where nothing is billed; the list has no yearly prices.
    """
    return MONTHLY_PRICE_CENTS.get(plan_id) if interval in {None, "month"} else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow(RunRow):
    """What every row of a day knows."""

    day: str = column("Day in UTC, `YYYY-MM-DD`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactDay(DayRow):
    """One day: what Postgres counted, the product's own account left out where accounts count."""

    accounts_count: int = column("Accounts that are not erased, as they stood at `recorded_at`.")
    signups_count: int = column("Accounts made on the day.")
    erasures_count: int = column("Accounts whose erasure was asked for on the day.")
    jobs_count: int = column("Jobs that ended on the day, whoever asked for them.")
    files_count: int = column("Files in the catalog, the trash left out, at `recorded_at`.")
    files_bytes: int = column("Their bytes.")
    promoters_count: int = column("Feedback of the day with a score of 9 or 10.")
    passives_count: int = column("Feedback of the day with a score of 7 or 8.")
    detractors_count: int = column("Feedback of the day with a score of 6 or less.")
    api_requests_count: int | None = column(
        "Requests the API answered on the day; null in rows older than its count.", default=None
    )
    api_errors_count: int | None = column("Those of them answered with 5xx.", default=None)
    api_p50_ms: float | None = column(
        "Time to the beginning of an answer that half of them stay below, milliseconds; up to 19 % "
        "too high, as times are counted by bounds that grow by the fourth root of 2.",
        default=None,
    )
    api_p95_ms: float | None = column("The same of 95 % of them.", default=None)
    api_p99_ms: float | None = column("The same of 99 % of them.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactUsageDaily(DayRow):
    """One account on one day."""

    account_id: str = column("The account.")
    tier: str = column("Its plan, as it stood at `recorded_at`.")
    is_system: bool = column("Whether it is the product's own; counted in no figure of accounts.")
    is_erased: bool = column("Whether its erasure was asked for; the same.")
    signed_up_at: datetime = column("When it was made, UTC.")
    last_login_at: datetime | None = column("When somebody last signed in, UTC.")
    files_count: int = column("Its files in the catalog, the trash left out, at `recorded_at`.")
    files_bytes: int = column("Their bytes.")
    duplicates_count: int = column("Those of them for which another file is kept.")
    jobs_count: int = column("Its jobs that ended on the day.")
    jobs_failed_count: int = column("Those of them that failed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSubscription(DayRow):
    """One subscription on one day, as it stood at `recorded_at`."""

    subscription_id: str = column("The subscription.")
    account_id: str = column("Whose it is.")
    plan_id: str = column("Plan of the price list.")
    status: str = column("Status as Stripe names it.")
    billing_interval: str | None = column("`month` or `year`.")
    monthly_price_cents: int | None = column(
        "What it brings in a month, US cents; null where the price list has no price."
    )
    is_ending: bool = column("Whether it ends with its period.")
    started_at: datetime = column("When it was made, UTC.")
    ended_at: datetime | None = column("When it ended for good, UTC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactJobEnd(DayRow):
    """One job on the day it ended, failed and canceled ones among them."""

    job_id: str = column("The job; `run_id` of its rows in the other tables, where it has any.")
    account_id: str = column("Whose it is.")
    kind: str = column("Which flow carried it out, a `JobKind`.")
    status: str = column("How it ended, as of `recorded_at`.")
    attempts_count: int = column("Attempts at it.")
    files_count: int = column("Files it concerned.")
    files_bytes: int = column("Their bytes.")
    errors_count: int = column("Files that could not be dealt with.")
    asked_at: datetime = column("When it was asked for, UTC.")
    started_at: datetime | None = column("When its last attempt began, UTC.")
    ended_at: datetime = column("When that ended, UTC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiDaily:
    """The product's figures by day; null where a day has nothing to count them from."""

    day: str = column("Day in UTC, `YYYY-MM-DD`.")
    signups: int = column("Accounts made on the day.")
    accounts: int = column("Accounts at its end.")
    paying_accounts: int = column("Accounts with a live subscription to a plan that costs.")
    conversion_ratio: float | None = column("Share of the accounts that pay, [0, 1].")
    mrr_cents: int = column("Monthly recurring revenue, US cents, at the price list's prices.")
    arr_cents: int = column("Yearly recurring revenue: twelve times `mrr_cents`.")
    unpriced_subscriptions: int = column("Paying ones without a list price, in no revenue figure.")
    churned: int = column("Paying accounts of the day recorded before that no longer pay.")
    churn_ratio: float | None = column("Their share of those that paid then, [0, 1].")
    gb_per_account: float | None = column("Stored GB (10^9 bytes) for each account.")
    jobs: int = column("Jobs that ended on the day.")
    job_success_ratio: float | None = column(
        "Share of them, canceled ones left out, that did not fail, [0, 1]."
    )
    job_p50_s: float | None = column("Median duration of completed jobs, seconds.")
    job_p95_s: float | None = column("Duration that 95 % of completed jobs stay below, seconds.")
    job_p99_s: float | None = column("Duration that 99 % of completed jobs stay below, seconds.")
    api_requests: int | None = column("Requests the API answered on the day.")
    api_p50_ms: float | None = column("Time that half of the answers stay below, milliseconds.")
    api_p95_ms: float | None = column("Time that 95 % of the answers stay below, milliseconds.")
    api_p99_ms: float | None = column("Time that 99 % of the answers stay below, milliseconds.")
    nps: float | None = column(
        "Net promoter score, [-100, 100]: share of promoters less that of detractors, percent."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day in UTC: from `start` up to, and without, `end`."""

    start: datetime

    @classmethod
    def named(cls, text: str) -> "Day":
        """Return the day `YYYY-MM-DD`.

        Raises:
            InvalidError: there is no such day.
        """
        try:
            return cls(start=datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
        except ValueError as error:
            raise InvalidError(f"a day is YYYY-MM-DD, not {text!r}") from error

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.start + timedelta(days=1)

    @property
    def name(self) -> str:
        """`YYYY-MM-DD`."""
        return f"{self.start:%Y-%m-%d}"

    @property
    def run_id(self) -> str:
        """Id of the run that records it."""
        return f"{DAILY}-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """All rows of a day."""

    totals: FactDay
    usage: tuple[FactUsageDaily, ...]
    subscriptions: tuple[FactSubscription, ...]
    job_ends: tuple[FactJobEnd, ...]
