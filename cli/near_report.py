"""A report of near-duplicates that is looked at: pictures side by side, one file, no network."""

import base64
import html
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.near_report_style import STYLE
from cli.output import size

Thumbnail = Callable[[str], bytes | None]
"""Returns the WebP of a file, by its key; None where there is none."""

MOST_GROUPS = 500
"""Groups shown, the most wasteful first: some 20 MB of thumbnails, which browsers scroll."""
_TITLES = {"image": "Pictures", "video": "Films", "audio": "Recordings", "document": "Documents"}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is loaded and nothing runs, whatever a file is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is told of a file beside its picture; None where it has none."""

    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None


def shown(text: str) -> str:
    """Return a name as HTML; what cannot be seen, or turns the writing around, is spelled out."""
    visible = "".join(
        f"\u27e8U+{ord(char):04X}\u27e9" if unicodedata.category(char)[0] == "C" else char
        for char in text
    )
    return html.escape(visible)


def near_report(
    title: str, groups: Sequence[dict[str, Any]], thumbnail: Thumbnail, facts: Mapping[str, Facts]
) -> str:
    """Return a page with a part for each kind of content and a card for each group.

    Args:
        title: what was searched.
        groups: documents of near groups, as `duplicates --json` prints them, most wasteful first.
        thumbnail: of a file, by its key.
        facts: of the files, by their keys.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TITLES}
    for group in groups[:MOST_GROUPS]:
        by_kind.setdefault(_kind(group), []).append(group)
    parts = [
        _part(kind, some, sum(_kind(group) == kind for group in groups), thumbnail, facts)
        for kind, some in by_kind.items()
        if some
    ]
    left_out = len(groups) - MOST_GROUPS
    more = (
        f'<p class="more">{left_out:,} groups that waste less are not shown; <code>--json</code>'
        " lists all of them.</p>"
        if left_out > 0
        else ""
    )
    nothing = "" if groups else '<p class="more">Nothing here is nearly the same.</p>'
    name = shown(title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Near-duplicates in {name}</title><style>{STYLE}</style></head><body>"
        f"{_head(name, by_kind, groups)}<main>{''.join(parts)}{more}{nothing}</main>"
        "</body></html>\n"
    )


def _kind(group: dict[str, Any]) -> str:
    return str(group["hash"]).partition("-")[0]


def _head(
    name: str, by_kind: Mapping[str, Sequence[dict[str, Any]]], groups: Sequence[dict[str, Any]]
) -> str:
    files = sum(len(group["duplicates"]) for group in groups)
    wasted = sum(group["space_wasted_bytes"] for group in groups)
    totals = [
        (f"{len(groups):,}", "groups"),
        (f"{files:,}", "files like the one kept"),
        (size(wasted), "in them"),
    ]
    numbers = "".join(f"<div><b>{value}</b><span>{words}</span></div>" for value, words in totals)
    links = "".join(
        f'<a href="#{kind}">{_TITLES.get(kind, kind)}</a>' for kind, some in by_kind.items() if some
    )
    return (
        f"<header><h1>Near-duplicates</h1><p class=where><bdi>{name}</bdi></p>"
        f'<div class="totals">{numbers}</div><nav>{links}</nav>'
        "<p class=note>Nothing was removed. Only files of equal bytes are ever removed by a rule;"
        " of these you decide.</p></header>"
    )


def _part(
    kind: str,
    groups: Sequence[dict[str, Any]],
    count: int,
    thumbnail: Thumbnail,
    facts: Mapping[str, Facts],
) -> str:
    cards = "".join(_card(group, thumbnail, facts) for group in groups)
    words = f"{count:,} group{'s' if count != 1 else ''}"
    return f'<h2 id="{kind}">{_TITLES.get(kind, kind)} <small>{words}</small></h2>{cards}'


def _card(group: dict[str, Any], thumbnail: Thumbnail, facts: Mapping[str, Facts]) -> str:
    keeper = group["original_file"]
    reason = shown(group["keep_reason"])
    badge = f'<span class="badge keep">keep \u00b7 {reason}</span>'
    figures = [_figure(keeper, badge, "keep", thumbnail, facts)]
    for member in group["duplicates"]:
        ratio = float(member["similarity"])
        # Rounded down: only what is the same is called the same.
        words = f"{int(ratio * 1000) / 10:g} % alike"
        meter = f'<span class="meter"><i style="width:{100 * ratio:.1f}%"></i></span>'
        badge = f'<span class="badge">{words}</span>{meter}'
        figures.append(_figure(member["file"], badge, "", thumbnail, facts))
    return f'<section class="card">{"".join(figures)}</section>'


def _figure(
    key: str, badge: str, style: str, thumbnail: Thumbnail, facts: Mapping[str, Facts]
) -> str:
    picture = thumbnail(key)
    folder, _, name = key.rpartition("/")
    if picture is None:
        ending = name.rpartition(".")[2][:5] if "." in name else "file"
        frame = f'<div class="none">{shown(ending)}</div>'
    else:
        data = base64.b64encode(picture).decode()
        frame = (
            f'<img alt="{shown(name)}" loading="lazy" decoding="async"'
            f' src="data:image/webp;base64,{data}">'
        )
    place = f'<span class="folder"><bdi>{shown(folder)}/</bdi></span>' if folder else ""
    told = " \u00b7 ".join(_told(facts[key])) if key in facts else ""
    return (
        f'<figure class="{style}">{frame}<figcaption>{badge}'
        f'<span class="name"><bdi>{shown(name)}</bdi></span>{place}'
        f'<span class="facts">{told}</span></figcaption></figure>'
    )


def _told(facts: Facts) -> list[str]:
    found = [size(facts.size_bytes)]
    if facts.width and facts.height:
        found.append(f"{facts.width:,} \u00d7 {facts.height:,}")
    if facts.duration_s:
        minutes, seconds = divmod(round(facts.duration_s), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{minutes}:{seconds:02d}"
        found.append(f"{hours}:{minutes:02d}:{seconds:02d}" if hours else clock)
    return found
