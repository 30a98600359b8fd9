"""Whether the numbers can be trusted: checks, quarantine, freshness."""

from dashboards.analytics import charts
from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import Card, cards, chart, empty, grid, panel, table
from dashboards.analytics.numbers import ago, count

FRESH_HOURS = 26
"""Age up to which the newest run is fresh: nightly runs, and two hours for them to end."""


def quality_page(board: Board, filters: Filters) -> str:
    """Return the page as HTML."""
    totals = board.one("quality_totals", filters)
    kinds = board.ask("quality_freshness", filters)
    missing = [row["day"] for row in board.ask("quality_days_missing", filters)]
    youngest = min((row["minutes_ago"] for row in kinds), default=None)
    is_fresh = youngest is not None and youngest <= FRESH_HOURS * 60
    figures = [
        Card(
            title="Checks met",
            value=count(totals["expectations"]),
            note=f"by {count(totals['runs'])} runs",
        ),
        Card(
            title="Runs in quarantine",
            value=count(totals["quarantined"]),
            note="their rows are not shown anywhere" if totals["quarantined"] else "none",
            tone="bad" if totals["quarantined"] else "good",
        ),
        Card(title="Rows published", value=count(totals["rows"])),
        Card(
            title="Newest run",
            value=ago(youngest),
            note="published",
            tone="good" if is_fresh else "warn",
        ),
        Card(
            title="Days missing",
            value=count(len(missing)),
            note=", ".join(missing[-3:]) if missing else "every day is recorded",
            tone="warn" if missing else "good",
        ),
    ]
    return cards(figures) + grid(
        _quarantine(board),
        panel(
            "Runs judged by day",
            chart(charts.columns(board.ask("quality_by_day", filters), "runs", by="status")),
            hint="Each run is judged before anybody sees its rows.",
        ),
        _fresh(kinds),
        _problems(board, filters),
    )


def _quarantine(board: Board) -> str:
    rows = board.ask("quality_quarantine")
    if not rows:
        body = empty("No run is in quarantine: all that was recorded is shown.")
    else:
        titles = {
            "recorded_at": "recorded, UTC",
            "kind": "kind",
            "run_id": "run",
            "rows": "rows",
            "reasons": "why",
        }
        body = table(rows, titles)
    return panel(
        "Quarantine",
        body,
        hint="`fileorganizer warehouse check` tells the same on the command line." if rows else "",
        is_wide=True,
    )


def _fresh(kinds: list[dict[str, object]]) -> str:
    rows = [{**row, "minutes_ago": ago(int(str(row["minutes_ago"])))} for row in kinds]
    titles = {"kind": "kind", "runs": "runs", "newest_at": "newest, UTC", "minutes_ago": "age"}
    return panel("Freshness", table(rows, titles), hint="The newest published run of each kind.")


def _problems(board: Board, filters: Filters) -> str:
    rows = board.ask("quality_problems", filters)
    body = (
        table(rows, {"problem": "why", "files": "files"})
        if rows
        else empty("Every file could be read in full.")
    )
    return panel("Files that could not be read in full", body, is_wide=True)
