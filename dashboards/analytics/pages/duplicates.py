"""What is there more than once, and what that costs."""

from dashboards.analytics import charts
from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import Card, cards, chart, empty, grid, panel, table
from dashboards.analytics.numbers import count, percent, size


def duplicates_page(board: Board, filters: Filters) -> str:
    """Return the page as HTML."""
    totals = board.one("duplicates_totals", filters)
    stored = board.one("storage_totals", filters)
    if not stored["files"]:
        return empty(
            "No file is known here, so none is there twice. Index a folder or a bucket first.",
            command="fileorganizer reindex FOLDER",
        )
    share = totals["wasted_bytes"] / stored["bytes"] if stored["bytes"] else None
    figures = [
        Card(
            title="Space wasted",
            value=size(totals["wasted_bytes"]),
            note="by copies that equal a file that stays",
            tone="warn" if totals["wasted_bytes"] else "good",
        ),
        Card(title="Share of storage", value=percent(share), note=f"of {size(stored['bytes'])}"),
        Card(
            title="Extra copies",
            value=count(totals["copies"]),
            note=f"in {count(totals['groups'])} groups of equal files",
        ),
        Card(
            title="Alike",
            value=count(totals["alike"]),
            note=f"in {count(totals['alike_groups'])} groups; never removed by a rule",
        ),
    ]
    return cards(figures) + grid(
        *_over_time(board, filters), *_equal(board, filters), _alike(board, filters)
    )


def _over_time(board: Board, filters: Filters) -> list[str]:
    curve = board.ask("duplicates_over_time", filters)
    return [
        panel(
            "Space wasted over time",
            chart(charts.lines(curve, {"wasted_bytes": "space wasted"}, unit="bytes")),
            hint="At the end of each day.",
        ),
        panel(
            "Extra copies over time",
            chart(charts.lines(curve, {"copies": "extra copies"}, unit="count")),
            hint="At the end of each day.",
        ),
    ]


def _equal(board: Board, filters: Filters) -> list[str]:
    by_category = board.ask("duplicates_by_category", filters)
    if not by_category:
        body = empty("Every file is there once. Nothing to do.")
        return [panel("Equal files", body, is_wide=True)]
    biggest = [
        {**row, "size_bytes": size(row["size_bytes"]), "wasted_bytes": size(row["wasted_bytes"])}
        for row in board.ask("duplicates_biggest", filters)
    ]
    titles = {"kept": "stays", "copies": "copies", "size_bytes": "size", "wasted_bytes": "wasted"}
    drawing = charts.bars(
        by_category, "wasted_bytes", of="category", unit="bytes", color=charts.PALETTE[2]
    )
    return [
        panel("Space wasted by category", chart(drawing)),
        panel(
            "Where most is wasted",
            table(biggest, titles),
            hint="`fileorganizer duplicates remove FOLDER --preview` shows what would go.",
        ),
    ]


def _alike(board: Board, filters: Filters) -> str:
    rows = [
        {
            **row,
            "least_similarity": percent(row["least_similarity"]),
            "bytes": size(row["bytes"]),
        }
        for row in board.ask("duplicates_alike", filters)
    ]
    titles = {
        "media": "media",
        "found_by": "found by",
        "groups": "groups",
        "files": "files",
        "least_similarity": "similar at least",
        "bytes": "bytes",
    }
    body = (
        table(rows, titles)
        if rows
        else empty(
            "Nobody has looked for files that are alike here (resized, cropped, reworded), or "
            "there are none.",
            command="fileorganizer duplicates FOLDER --near",
        )
    )
    return panel("Files that are alike", body, is_wide=True)
