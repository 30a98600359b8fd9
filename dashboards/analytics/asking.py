"""The dashboards' questions and the state they are asked about."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from warehouse.connect import connect
from warehouse.store.parts import Lake

Rows = list[dict[str, Any]]

POINTS = 120
"""Points of a curve over time at most: more cannot be told apart on a screen, and each is a row of
every category that the browser gets."""


@cache
def question(name: str) -> str:
    """Return the SQL of a question."""
    return files("dashboards.analytics.queries").joinpath(f"{name}.sql").read_text("utf-8")


def questions() -> list[str]:
    """Return the names of all questions, sorted."""
    folder = files("dashboards.analytics.queries")
    return sorted(
        each.name.removesuffix(".sql") for each in folder.iterdir() if each.name.endswith(".sql")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the pages show.

    Attributes:
        root: id of the only root to show; empty for all.
        first: first day, UTC.
        last: last day, UTC; it counts.
    """

    root: str = ""
    first: date
    last: date

    @property
    def step(self) -> int:
        """Days between two points of a curve, so that there are at most `POINTS`."""
        return max(1, -(-((self.last - self.first).days + 1) // POINTS))


class Board:
    """The warehouse as it stood when the page was opened, with every other door shut (DESIGN D8).

    Attributes:
        taken_at: when that was, UTC.
    """

    def __init__(self, lake: Lake) -> None:
        self._connection = connect(lake)
        self.taken_at = datetime.now(UTC)

    def ask(self, name: str, filters: Filters | None = None) -> Rows:
        """Return the rows a question gives, in its order.

        Args:
            name: which question.
            filters: what it may ask for; questions about everything go without.
        """
        sql = question(name)
        values: dict[str, Any] = {"now": self.taken_at.isoformat()}
        if filters is not None:
            values |= {
                "root": filters.root,
                "first": filters.first.isoformat(),
                "last": filters.last.isoformat(),
                "step": filters.step,
            }
        named = {key: value for key, value in values.items() if f"${key}" in sql}
        result = self._connection.execute(sql, named)
        columns = [str(column[0]) for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def one(self, name: str, filters: Filters | None = None) -> dict[str, Any]:
        """Return the only row of a question of totals."""
        (row,) = self.ask(name, filters)
        return row

    def span(self) -> Filters | None:
        """Return the days there is anything of, up to now; None where nothing was published."""
        found = self.one("span")
        if not found["runs"]:
            return None
        today = self.taken_at.date()
        first = found["first_day"] or today
        return Filters(first=min(first, today - timedelta(days=1)), last=today)
