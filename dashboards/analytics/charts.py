"""Charts as Vega-Lite, readable on light and dark paper; all they need comes with the page."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import altair as alt

from dashboards.analytics.asking import Rows

PALETTE = (
    "#4f7cff",
    "#22b8a6",
    "#f2a93b",
    "#ec6a66",
    "#9a77f0",
    "#46b866",
    "#de6fa9",
    "#56b3ec",
    "#c08a52",
    "#8496ad",
    "#c9b52f",
    "#6f7d8c",
)
"""Twelve hues of like lightness: each is told from its neighbors and from white and from black."""

VERDICTS = {
    "completed": "#46b866",
    "published": "#46b866",
    "completed_with_errors": "#f2a93b",
    "failed": "#ec6a66",
    "quarantined": "#ec6a66",
    "canceled": "#8496ad",
    "undone": "#9a77f0",
}
"""One color for one way to end, on every page."""

INK = "#8793a6"
"""Axes and legends: a gray with enough contrast on both papers."""

OTHERS = "all others"

FEW_DAYS = 62
"""Days that are drawn as columns: two months, 15 pixels each."""

LEAST_DAYS = 7
"""Days that an axis of columns has at least, so that one day is a column and not a wall."""

HEIGHT = 240
ROW_HEIGHT = 26

BYTES = (
    "datum.value >= 1e12 ? format(datum.value / 1e12, ',.1~f') + ' TB' : "
    "datum.value >= 1e9 ? format(datum.value / 1e9, ',.1~f') + ' GB' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, ',.1~f') + ' MB' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, ',.1~f') + ' kB' : datum.value + ' B'"
)
"""Labels of axes of bytes, as a Vega expression; 1 GB is 10^9 bytes."""

NUMBER = "abs(datum.value) >= 1e6 ? format(datum.value, '.3~s') : format(datum.value, ',.6~f')"
"""Labels of other axes: whole up to a million."""


def _dressed(chart: Any, height: int | alt.Step = HEIGHT) -> Any:
    """Return the chart in the house's dress, wide as its panel, without a menu to other hosts."""
    return (
        chart.properties(
            width="container",
            height=height,
            background="transparent",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            usermeta={"embedOptions": {"actions": False}},
        )
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=INK,
            gridColor=INK,
            gridOpacity=0.18,
            domainColor=INK,
            domainOpacity=0.4,
            ticks=False,
            labelPadding=6,
            labelFontSize=11,
            labelSeparation=14,
            titleFontWeight="normal",
        )
        .configure_legend(
            labelColor=INK, title=None, orient="bottom", columns=6, symbolType="square"
        )
    )


def _y_axis(unit: str) -> alt.Axis:
    """Return the axis of a quantity: bytes, a share, a count, or any number."""
    if unit == "bytes":
        return alt.Axis(labelExpr=BYTES, title=None, tickCount=5)
    if unit == "share":
        return alt.Axis(format="%", title=None, tickCount=5)
    return alt.Axis(
        labelExpr=NUMBER, title=None, tickCount=5, tickMinStep=1 if unit == "count" else 0
    )


def _days() -> alt.X:
    axis = alt.Axis(title=None, grid=False, labelOverlap="greedy", format="%b %d", tickCount=8)
    return alt.X("day:T", axis=axis)


def _tooltips(unit: str, field: str, title: str) -> list[Any]:
    texts = {"bytes": ".4~s", "share": ".1%"}
    return [
        alt.Tooltip("day:T", title="day", format="%Y-%m-%d"),
        alt.Tooltip(f"{field}:Q", title=title, format=texts.get(unit, ",.4~f")),
    ]


def area(rows: Rows, field: str, *, by: str, unit: str) -> Any:
    """Return stacked areas over days, the biggest at the bottom; columns where days are few.

    Where there are more kinds than colors, the smallest are one, `all others`.
    """
    last = max((row["day"] for row in rows), default="")
    order = [
        row[by]
        for row in sorted((r for r in rows if r["day"] == last), key=lambda r: (-r[field], r[by]))
    ]
    if len(order) > len(PALETTE):
        shown = order[: len(PALETTE) - 1]
        order = [*shown, OTHERS]
        rows = _united(rows, field, by=by, shown=shown)
    ranked = [{**row, "rank": order.index(row[by])} for row in rows]
    base, days = alt.Chart(alt.Data(values=ranked)), {str(row["day"]) for row in rows}
    are_few = len(days) <= FEW_DAYS and not _has_gaps(days)
    if are_few:
        marked, x = base.mark_bar(cornerRadius=1, opacity=0.9), _day_columns(days)
    else:
        marked, x = base.mark_area(opacity=0.85, interpolate="step-after", line=False), _days()
    chart = marked.encode(
        x=x,
        y=alt.Y(f"{field}:Q", stack=True, axis=_y_axis(unit)),
        color=alt.Color(f"{by}:N", sort=order, scale=alt.Scale(domain=order, range=PALETTE)),
        order=alt.Order("rank:Q"),
        tooltip=[alt.Tooltip(f"{by}:N", title=by), *_tooltips(unit, field, unit)],
    )
    return _dressed(chart, 300)


def _united(rows: Rows, field: str, *, by: str, shown: Sequence[str]) -> Rows:
    """Return the rows of kinds that are shown, and those of the others as one a day."""
    others: dict[str, int] = {}
    for row in rows:
        if row[by] not in shown:
            others[row["day"]] = others.get(row["day"], 0) + row[field]
    kept = [row for row in rows if row[by] in shown]
    return [*kept, *({"day": day, by: OTHERS, field: sum_} for day, sum_ in others.items())]


def _has_gaps(days: Iterable[str]) -> bool:
    found = sorted(date.fromisoformat(day) for day in days)
    return any((later - day).days > 1 for day, later in pairwise(found))


def _day_columns(days: Iterable[str]) -> alt.X:
    """Return the axis of columns, one a day."""
    found = sorted(date.fromisoformat(day) for day in days) or [date.min]
    first = min(found[0], found[-1] - timedelta(days=LEAST_DAYS - 1))
    ends = [_moment(first), _moment(found[-1] + timedelta(days=1))]
    axis = alt.Axis(title=None, grid=False, labelOverlap="greedy", format="%b %d", tickCount="day")
    return alt.X("yearmonthdate(day):T", axis=axis, scale=alt.Scale(domain=ends))


def _moment(day: date) -> alt.DateTime:
    return alt.DateTime(year=day.year, month=day.month, date=day.day)


def lines(rows: Rows, fields: dict[str, str], *, unit: str) -> Any:
    """Return curves over days.

    Args:
        rows: with `day` and the fields; a null leaves a gap.
        fields: which to draw, with what each is called.
        unit: `bytes`, `share`, `count` (whole) or anything else.
    """
    values = [
        {"day": row["day"], "value": row[field], "line": title}
        for row in rows
        for field, title in fields.items()
    ]
    names = list(fields.values())
    color = alt.Color(
        "line:N",
        scale=alt.Scale(domain=names, range=PALETTE[: len(names)]),
        legend=alt.Legend() if len(names) > 1 else None,
    )
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=14))
        .encode(
            x=_days(),
            y=alt.Y("value:Q", axis=_y_axis(unit)),
            color=color,
            tooltip=[alt.Tooltip("line:N", title=" "), *_tooltips(unit, "value", "value")],
        )
    )
    return _dressed(chart)


def columns(rows: Rows, field: str, *, by: str | None = None, unit: str = "count") -> Any:
    """Return columns over days, stacked by how they ended where `by` names that."""
    base = alt.Chart(alt.Data(values=rows)).mark_bar(cornerRadius=2)
    tooltip = _tooltips(unit, field, field)
    x = _day_columns(str(row["day"]) for row in rows)
    y = alt.Y(f"{field}:Q", axis=_y_axis(unit))
    if by is None:
        return _dressed(base.encode(x=x, y=y, color=alt.value(PALETTE[0]), tooltip=tooltip))
    there = [each for each in VERDICTS if any(row[by] == each for row in rows)]
    scale = alt.Scale(domain=there, range=[VERDICTS[each] for each in there])
    color = alt.Color(f"{by}:N", scale=scale, legend=alt.Legend())
    return _dressed(base.encode(x=x, y=y, color=color, tooltip=[f"{by}:N", *tooltip]))


def bars(rows: Rows, field: str, *, of: str, unit: str, color: str = PALETTE[0]) -> Any:
    """Return one bar for each row, in their order."""
    texts = {"bytes": ".4~s", "share": ".1%"}
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadius=3, color=color)
        .encode(
            x=alt.X(f"{field}:Q", axis=_y_axis(unit)),
            y=alt.Y(f"{of}:N", sort=None, axis=alt.Axis(title=None, domain=False, labelLimit=180)),
            tooltip=[
                alt.Tooltip(f"{of}:N", title=of),
                alt.Tooltip(f"{field}:Q", title=field, format=texts.get(unit, ",.4~f")),
            ],
        )
    )
    return _dressed(chart, alt.Step(ROW_HEIGHT))


def years(rows: Rows, field: str, *, by: str, order: Sequence[str], unit: str) -> Any:
    """Return stacked columns, one for each year."""
    there = [each for each in order if any(row[by] == each for row in rows)]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X("year:O", axis=alt.Axis(title=None, labelOverlap="greedy", labelAngle=0)),
            y=alt.Y(f"{field}:Q", axis=_y_axis(unit)),
            color=alt.Color(f"{by}:N", scale=alt.Scale(domain=there, range=PALETTE[: len(there)])),
            tooltip=["year:O", f"{by}:N", alt.Tooltip(f"{field}:Q", format=".4~s"), "files:Q"],
        )
    )
    return _dressed(chart)
