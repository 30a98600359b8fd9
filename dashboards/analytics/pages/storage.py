"""What is stored: how much, of what, and how it grew."""

from dashboards.analytics import charts
from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import Card, cards, chart, empty, grid, panel
from dashboards.analytics.numbers import count, size

KINDS = ("Images", "Videos", "Audio", "Documents", "Others")
LATEST_YEARS = 30
"""Years shown: as far back as most cameras' files go, and as many columns as stay readable."""


def storage_page(board: Board, filters: Filters) -> str:
    """Return the page as HTML."""
    totals = board.one("storage_totals", filters)
    if not totals["files"]:
        return empty(
            "No file is known here. Index a folder or a bucket, and it shows.",
            command="fileorganizer reindex FOLDER",
        )
    categories = board.ask("storage_by_category", filters)
    years = _latest(board.ask("storage_by_year", filters))
    figures = [
        Card(title="Files", value=count(totals["files"]), note="there are now"),
        Card(title="Stored", value=size(totals["bytes"]), note="of one GB = 10⁹ bytes"),
        Card(
            title="Average file",
            value=size(totals["bytes"] / totals["files"]),
            note=f"in {count(totals['categories'])} categories",
        ),
        Card(title="Roots", value=count(totals["roots"]), note="folders and buckets"),
        Card(
            title="Could not be read in full",
            value=count(totals["problems"]),
            note="reasons: page Data quality" if totals["problems"] else "all could",
            tone="warn" if totals["problems"] else "good",
        ),
    ]
    return cards(figures) + grid(
        panel(
            "Storage by category over time",
            chart(
                charts.area(
                    board.ask("storage_over_time", filters), "bytes", by="category", unit="bytes"
                )
            ),
            hint="At the end of each day, as runs recorded it.",
            is_wide=True,
        ),
        panel(
            "Bytes by category",
            chart(charts.bars(categories, "bytes", of="category", unit="bytes")),
        ),
        panel(
            "Files by category",
            chart(
                charts.bars(
                    sorted(categories, key=lambda row: (-row["files"], row["category"])),
                    "files",
                    of="category",
                    unit="count",
                    color=charts.PALETTE[1],
                )
            ),
        ),
        panel(
            "Bytes by content",
            chart(
                charts.bars(
                    board.ask("storage_by_type", filters),
                    "bytes",
                    of="type",
                    unit="bytes",
                    color=charts.PALETTE[4],
                )
            ),
            hint="What files are by their bytes, whatever their names say.",
        ),
        panel(
            "When files were made",
            chart(charts.years(years, "bytes", by="kind", order=KINDS, unit="bytes")),
            hint="By the date they carry, else by their modification time.",
        ),
    )


def _latest(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows of the latest years and of the unknown one."""
    years = sorted({str(row["year"]) for row in rows})[-LATEST_YEARS:]
    return [row for row in rows if row["year"] in years]
