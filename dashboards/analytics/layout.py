"""Parts of a page as HTML; texts from the warehouse (names of files are anybody's) are escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import marimo as mo

ROW_CARDS = 6
"""Figures in one row: more would be too narrow for a note below them."""

NUMBER_LENGTH = 15
"""Texts that begin with a digit and are longer are no numbers with a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure.

    Attributes:
        title: what it is.
        value: the figure, as text.
        note: what helps to read it.
        tone: `good`, `warn`, `bad`, or nothing.
    """

    title: str
    value: str
    note: str = ""
    tone: str = ""


def cards(items: Sequence[Card]) -> str:
    """Return figures side by side, in two rows where they are many."""
    columns = len(items) if len(items) <= ROW_CARDS else -(-len(items) // 2)
    inner = "".join(map(_card, items))
    return f'<div class="fo-cards" style="--fo-columns: {columns}">{inner}</div>'


def _card(card: Card) -> str:
    note = f'<div class="fo-note">{escape(card.note)}</div>' if card.note else ""
    return (
        f'<div class="fo-card {escape(card.tone)}" data-card="{escape(card.title)}">'
        f'<div class="fo-title">{escape(card.title)}</div>'
        f'<div class="fo-value">{escape(card.value)}</div>{note}</div>'
    )


def chart(drawing: Any) -> str:
    """Return a chart as HTML."""
    return mo.as_html(drawing).text


def panel(title: str, body: str, *, hint: str = "", is_wide: bool = False) -> str:
    """Return a part of the page with its title and what it shows, in a sentence."""
    told = f"<p>{_coded(hint)}</p>" if hint else ""
    kind = "fo-panel fo-wide" if is_wide else "fo-panel"
    return f'<section class="{kind}"><h3>{escape(title)}</h3>{told}{body}</section>'


def grid(*panels: str) -> str:
    """Return panels side by side where there is room."""
    return '<div class="fo-grid">' + "".join(panels) + "</div>"


def empty(what: str, *, command: str = "") -> str:
    """Return what stands where there is nothing to show: why, and what to do."""
    told = f"<code>{escape(command)}</code>" if command else ""
    return f'<div class="fo-empty"><p>{_coded(what)}</p>{told}</div>'


def _coded(text: str) -> str:
    """Return a sentence with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return rows as a table.

    Args:
        rows: what to show; numbers stand to the right.
        columns: which of their values, with the titles.
    """
    kinds = {name: _alignment([row.get(name) for row in rows]) for name in columns}
    head = "".join(f"<th{kinds[name]}>{escape(title)}</th>" for name, title in columns.items())
    body = "".join(
        f"<tr>{''.join(_cell(row[name], kinds[name]) for name in columns)}</tr>" for row in rows
    )
    return (
        f'<div class="fo-table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _alignment(values: Sequence[Any]) -> str:
    """Return the class of a column with numbers, with their unit or without; else nothing."""
    texts = [f"{value}" for value in values]
    is_number = any(
        text[:1].isdigit() and len(text) <= NUMBER_LENGTH and text[4:5] != "-" for text in texts
    )
    return ' class="fo-number"' if is_number else ""


def _cell(value: Any, kind: str) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return f'<td{kind} title="{escape(text)}">{escape(text)}</td>'
