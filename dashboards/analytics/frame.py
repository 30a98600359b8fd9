"""What is around the pages: the state they show, filters, and which page is open."""

from collections.abc import Callable
from datetime import date
from html import escape
from typing import Any

import marimo as mo

from dashboards.analytics.asking import Board, Filters
from dashboards.analytics.layout import empty
from dashboards.analytics.numbers import place
from dashboards.analytics.pages.duplicates import duplicates_page
from dashboards.analytics.pages.jobs import jobs_page
from dashboards.analytics.pages.kpis import kpis_page
from dashboards.analytics.pages.quality import quality_page
from dashboards.analytics.pages.storage import storage_page
from models.domain.errors import FileOrganizerError
from warehouse.connect import lake_of_settings

PAGES: dict[str, Callable[[Board, Filters], str]] = {
    "Storage": storage_page,
    "Duplicates": duplicates_page,
    "Jobs": jobs_page,
    "KPIs": kpis_page,
    "Data quality": quality_page,
}
ALL_ROOTS = "All roots"


def opened() -> Board | str:
    """Return the warehouse of the settings as it stands now, or why it cannot be read."""
    try:
        return Board(lake_of_settings())
    except (FileOrganizerError, OSError) as error:
        return str(error)


def root_filter(board: Board | str) -> Any:
    """Return the choice of a root; its value is the root's id, empty for all."""
    options = {ALL_ROOTS: ""}
    if isinstance(board, Board):
        options |= {place(row["name"]): row["root_id"] for row in board.ask("roots")}
    return mo.ui.dropdown(options, value=ALL_ROOTS, allow_select_none=False, label="Root")


def days_filter(board: Board | str) -> Any:
    """Return the choice of days; all there are unless changed."""
    span = board.span() if isinstance(board, Board) else None
    if span is None:
        return mo.ui.date_range(label="Days")
    days = (span.first, span.last)
    return mo.ui.date_range(start=span.first, stop=span.last, value=days, label="Days")


def header(board: Board | str, root: Any, days: Any, refresh: Any, tabs: Any) -> str:
    """Return the top of the page as HTML."""
    told = f"as of {board.taken_at:%Y-%m-%d %H:%M} UTC" if isinstance(board, Board) else ""
    filters = "".join(f"<div>{mo.as_html(each).text}</div>" for each in (root, days, refresh))
    return (
        '<header class="fo-header"><div class="fo-brand"><h1>FileOrganizer</h1>'
        f'<span>{escape(told)}</span></div><div class="fo-filters">{filters}</div></header>'
        f'<nav class="fo-tabs">{mo.as_html(tabs).text}</nav>'
    )


def page(name: str, board: Board | str, root: str, days: tuple[date, date] | None) -> str:
    """Return the page that is open as HTML.

    Args:
        name: of `PAGES`; empty for the first.
        board: the warehouse, or why it cannot be read.
        root: id of the only root to show; empty for all.
        days: first and last one.
    """
    if not isinstance(board, Board):
        body = empty(
            f"The warehouse cannot be read: {board}", command="fileorganizer warehouse check"
        )
    elif board.span() is None or days is None:
        body = empty(
            "Nothing is recorded yet. Let FileOrganizer look at a folder or a bucket; it changes "
            "nothing there, and the dashboards fill.",
            command="fileorganizer reindex FOLDER",
        )
    else:
        filters = Filters(root=root, first=min(days), last=max(days))
        body = PAGES.get(name, storage_page)(board, filters)
    return f'<main class="fo-page" data-page="{escape(name or next(iter(PAGES)))}">{body}</main>'
