"""The product's main figures."""

from typing import Any

from dashboards.analytics import charts
from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import Card, cards, chart, empty, grid, panel
from dashboards.analytics.numbers import NONE, count, money, percent, seconds
from dashboards.analytics.pages.jobs import tone_of


def kpis_page(board: Board, filters: Filters) -> str:
    """Return the page as HTML."""
    totals = board.one("kpi_totals", filters)
    if not totals["days"]:
        return empty(
            "No day is recorded among these. Days are recorded each night while `fileorganizer up` "
            "runs, and by hand:",
            command="fileorganizer warehouse daily",
        )
    jobs = board.one("jobs_totals", filters)
    curve = board.ask("kpi_by_day", filters)
    return cards([*_people(totals), *_money(totals), *_service(totals, jobs)]) + grid(
        *_growth(curve), *_quality(curve, totals)
    )


def _people(totals: dict[str, Any]) -> list[Card]:
    return [
        Card(title="Sign-ups", value=count(totals["signups"]), note="in these days"),
        Card(title="Accounts", value=count(totals["accounts"]), note="on the last day"),
        Card(
            title="Conversion",
            value=percent(totals["conversion_ratio"]),
            note=f"{count(totals['paying_accounts'])} accounts pay",
        ),
        Card(
            title="Churn",
            value=count(totals["churned"]),
            note=f"stopped paying; {percent(totals['churn_ratio'])} on the last day",
        ),
    ]


def _money(totals: dict[str, Any]) -> list[Card]:
    unpriced = totals["unpriced_subscriptions"]
    note = f"without {count(unpriced)} custom prices" if unpriced else "at list prices"
    return [
        Card(title="MRR", value=money(totals["mrr_cents"]), note=note),
        Card(title="ARR", value=money(totals["arr_cents"]), note="twelve times MRR"),
    ]


def _service(totals: dict[str, Any], jobs: dict[str, Any]) -> list[Card]:
    gb, nps = totals["gb_per_account"], totals["nps"]
    return [
        Card(
            title="GB per user",
            value=NONE if gb is None else f"{gb:,.2f} GB",
            note="on the last day",
        ),
        Card(
            title="Job success",
            value=percent(jobs["success_ratio"]),
            note=f"{count(jobs['jobs'])} jobs",
            tone=tone_of(jobs["success_ratio"]),
        ),
        Card(
            title="Job latency",
            value=seconds(jobs["p50_s"]),
            note=f"median; 95 % below {seconds(jobs['p95_s'])}",
        ),
        Card(
            title="NPS",
            value=NONE if nps is None else f"{nps:+.0f}",
            note=f"{count(totals['answers'])} answers" if totals["answers"] else "no answers yet",
        ),
    ]


def _growth(curve: list[dict[str, Any]]) -> list[str]:
    accounts = {"accounts": "accounts", "paying_accounts": "paying"}
    return [
        panel("Sign-ups", chart(charts.columns(curve, "signups"))),
        panel("Accounts", chart(charts.lines(curve, accounts, unit="count"))),
        panel(
            "Monthly recurring revenue",
            chart(charts.lines(curve, {"mrr_dollars": "MRR"}, unit="number")),
            hint="US dollars, at list prices.",
        ),
        panel(
            "Conversion",
            chart(charts.lines(curve, {"conversion_ratio": "conversion"}, unit="share")),
            hint="Share of the accounts that pay.",
        ),
        panel("Accounts that stopped paying", chart(charts.columns(curve, "churned"))),
        panel(
            "GB per user",
            chart(charts.lines(curve, {"gb_per_account": "GB"}, unit="number")),
            hint="Stored for each account; 1 GB is 10⁹ bytes.",
        ),
    ]


def _quality(curve: list[dict[str, Any]], totals: dict[str, Any]) -> list[str]:
    latencies = {"job_p50_s": "median", "job_p95_s": "95 %", "job_p99_s": "99 %"}
    answered = [row for row in curve if row["nps_30_days"] is not None]
    score = (
        chart(charts.lines(answered, {"nps_30_days": "NPS"}, unit="number"))
        if totals["answers"]
        else empty("No answers yet: they come from the feedback that users give in the product.")
    )
    return [
        panel(
            "Latency of jobs",
            chart(charts.lines(curve, latencies, unit="seconds")),
            hint="Seconds. Latencies of the API are in its own metrics, at /metrics.",
        ),
        panel(
            "Job success",
            chart(charts.lines(curve, {"job_success_ratio": "success"}, unit="share")),
            hint="Share of jobs that did not fail, canceled ones left out.",
        ),
        panel(
            "Net promoter score",
            score,
            hint="Share of promoters less that of detractors, percent, over 30 days each."
            if totals["answers"]
            else "",
            is_wide=True,
        ),
    ]
