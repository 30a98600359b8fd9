"""Whether jobs succeed, and how long they take."""

from dashboards.analytics import charts
from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import Card, cards, chart, empty, grid, panel, table
from dashboards.analytics.numbers import count, percent, place, seconds

SOUND, SHAKY = 0.99, 0.9
"""Share of jobs that do not fail from which it is shown green, and below which red."""


def tone_of(ratio: float | None) -> str:
    """Return the color of a share of successes."""
    if ratio is None:
        return ""
    return "good" if ratio >= SOUND else "warn" if ratio >= SHAKY else "bad"


def jobs_page(board: Board, filters: Filters) -> str:
    """Return the page as HTML."""
    ended = board.one("jobs_totals", filters)
    runs = board.one("runs_totals", filters)
    figures = [
        Card(
            title="Job success",
            value=percent(ended["success_ratio"]),
            note=f"{count(ended['failed'])} of {count(ended['jobs'])} jobs failed",
            tone=tone_of(ended["success_ratio"]),
        ),
        Card(title="Median duration", value=seconds(ended["p50_s"]), note="of completed jobs"),
        Card(title="95 % take less than", value=seconds(ended["p95_s"])),
        Card(
            title="Jobs ended",
            value=count(ended["jobs"]),
            note=f"{count(ended['canceled'])} canceled, {count(ended['with_errors'])} with errors",
        ),
        Card(
            title="Operations done",
            value=count(runs["done"]),
            note=f"of {count(runs['operations'])} in {count(runs['runs'])} runs",
        ),
        Card(
            title="Operations not done",
            value=count(runs["errors"]),
            note="refused, failed or deferred",
            tone="warn" if runs["errors"] else "good",
        ),
    ]
    return cards(figures) + grid(*_ends(board, filters), _runs(board, filters))


def _ends(board: Board, filters: Filters) -> list[str]:
    by_day = board.ask("jobs_by_day", filters)
    if not by_day:
        body = empty(
            "No day with jobs is recorded among these. Days are recorded each night while "
            "`fileorganizer up` runs, and by hand:",
            command="fileorganizer warehouse daily",
        )
        return [panel("Success and durations", body, is_wide=True)]
    kinds = [
        {**row, **{name: seconds(row[name]) for name in ("p50_s", "p95_s", "longest_s")}}
        for row in board.ask("jobs_durations", filters)
    ]
    titles = {
        "kind": "kind",
        "jobs": "jobs",
        "p50_s": "median",
        "p95_s": "95 % below",
        "longest_s": "longest",
    }
    curves = {"job_p50_s": "median", "job_p95_s": "95 %", "job_p99_s": "99 %"}
    durations = board.ask("jobs_durations_by_day", filters)
    return [
        panel(
            "Jobs by day and how they ended",
            chart(charts.columns(by_day, "jobs", by="status")),
            hint="All roots together, over the days that are recorded.",
        ),
        panel(
            "Durations",
            chart(charts.lines(durations, curves, unit="seconds")),
            hint="Seconds from the start of a job's last attempt to its end.",
        ),
        panel("Durations by kind", table(kinds, titles), is_wide=True),
    ]


def _runs(board: Board, filters: Filters) -> str:
    rows = [
        {
            **row,
            "root": place(row["root"]),
            "seconds": seconds(row["seconds"]),
            "status": f"{row['status']}, undone" if row["is_undone"] else row["status"],
        }
        for row in board.ask("runs_newest", filters)
    ]
    if not rows:
        body = empty("No run among these days; choose others above.")
        return panel("Newest runs", body, is_wide=True)
    titles = {
        "recorded_at": "recorded, UTC",
        "kind": "kind",
        "root": "root",
        "status": "status",
        "files": "files",
        "done": "done",
        "errors": "errors",
        "seconds": "took",
    }
    return panel("Newest runs", table(rows, titles), is_wide=True)
