"""A report of near-duplicates that is looked at: pictures side by side, one file, no network."""

import base64
import html
from collections.abc import Callable, Sequence
from typing import Any

Thumbnail = Callable[[str], bytes | None]
"""Returns the WebP of a file, by its key; None where there is none."""

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
section{border-top:1px solid #8884;padding:1rem 0}
.row{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:16rem}
img,.none{width:16rem;height:12rem;object-fit:contain;background:#8881;border-radius:6px}
.none{display:grid;place-items:center;color:#888}
.keep img,.keep .none{outline:3px solid #2a8f4f}
figcaption{overflow-wrap:anywhere;font-size:13px}
b{color:#2a8f4f}
h2{font-size:1rem;margin:.2rem 0 .6rem}
"""


def near_report(title: str, groups: Sequence[dict[str, Any]], thumbnail: Thumbnail) -> str:
    """Return a page with one section a group, the keeper first and outlined.

    Args:
        title: what was searched.
        groups: documents of near groups, as `duplicates --json` prints them.
        thumbnail: of a file, by its key.
    """
    sections = "".join(_section(group, thumbnail) for group in groups)
    count = sum(len(group["duplicates"]) for group in groups)
    name = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style><h1>Near-duplicates in {name}</h1>"
        f"<p>{len(groups):,} groups, {count:,} files that are nearly the same as the one kept. "
        f"Nothing was removed; only files of equal bytes are ever removed by a rule.</p>"
        f"{sections}</html>\n"
    )


def _section(group: dict[str, Any], thumbnail: Thumbnail) -> str:
    figures = [_figure(group["original_file"], "<b>keep</b>", "keep", thumbnail)]
    figures += [
        _figure(member["file"], f"{member['similarity']:.0%} alike", "", thumbnail)
        for member in group["duplicates"]
    ]
    reason = html.escape(group["keep_reason"])
    return f'<section><h2>{reason}</h2><div class="row">{"".join(figures)}</div></section>'


def _figure(key: str, words: str, style: str, thumbnail: Thumbnail) -> str:
    picture = thumbnail(key)
    shown = '<div class="none">no picture</div>'
    if picture is not None:
        data = base64.b64encode(picture).decode()
        shown = f'<img alt="" src="data:image/webp;base64,{data}">'
    caption = f"<figcaption>{words}<br>{html.escape(key)}</figcaption>"
    return f'<figure class="{style}">{shown}{caption}</figure>'
