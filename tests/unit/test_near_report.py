"""The report of near-duplicates: complete, escaped, alone."""

import html.parser
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.near_report import MOST_GROUPS, Facts, near_report

PICTURE = b"RIFF\x00\x00\x00\x00WEBP"


def group(keeper: str, *others: tuple[str, float], kind: str = "image", reason: str = "oldest"):
    return {
        "hash": f"{kind}-{keeper}",
        "original_file": keeper,
        "keep_reason": reason,
        "duplicates": [{"file": name, "similarity": ratio} for name, ratio in others],
        "size_bytes": 100,
        "space_wasted_bytes": 100 * len(others),
    }


class Page(html.parser.HTMLParser):
    """What a browser makes of it: tags with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def test_a_group_is_told_with_keeper_reason_likeness_sizes_and_totals():
    groups = [
        group("a/one.jpg", ("b/two.jpg", 0.9996)),
        group("t.docx", ("t.pdf", 0.75), kind="document", reason="highest quality"),
    ]
    facts = {
        "a/one.jpg": Facts(size_bytes=1_500_000, width=4000, height=3000),
        "b/two.jpg": Facts(size_bytes=90_000, width=800, height=600, duration_s=75.2),
    }
    page = Page(near_report("/x", groups, lambda key: PICTURE if "jpg" in key else None, facts))
    words = " ".join(page.words)
    for told in ("keep \u00b7 oldest", "1.5 MB \u00b7 4,000 \u00d7 3,000", "1:15", "75 % alike"):
        assert told in words
    assert "99.9 % alike" in words, "what differs is never called the same"
    assert "Pictures" in words
    assert "Documents" in words
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [attributes["alt"] for attributes in pictures] == ["one.jpg", "two.jpg"]
    assert all(attributes["loading"] == "lazy" for attributes in pictures)
    kept = [attributes for tag, attributes in page.tags if attributes.get("class") == "keep"]
    assert len(kept) == 2


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_no_name_becomes_markup(name, reason):
    plain = Page(near_report("x", [group("k", ("m", 0.9))], lambda _: None, {}))
    hostile = f'"><script src=//e>{name}\u202e<img onerror=x>'
    page = Page(
        near_report(hostile, [group(hostile, (hostile, 0.9), reason=reason)], lambda _: None, {})
    )
    folders = sum(tag == "bdi" for tag, _ in page.tags) - sum(tag == "bdi" for tag, _ in plain.tags)
    tags = [tag for tag, _ in page.tags if tag not in {"bdi", "span"}]
    assert tags == [tag for tag, _ in plain.tags if tag not in {"bdi", "span"}]
    assert folders == 2, "one for the folder of either file"
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert "\u202e" not in "".join(page.words)


def test_a_page_loads_nothing_and_runs_nothing():
    text = near_report("x", [group("k.jpg", ("m.jpg", 1.0))], lambda _: PICTURE, {})
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"?(https?:|//)", text)
    assert "<script" not in text


def test_the_most_wasteful_groups_are_shown_and_the_rest_counted():
    many = [group(f"{n}.jpg", (f"{n}b.jpg", 0.9)) for n in range(MOST_GROUPS + 7)]
    words = " ".join(Page(near_report("x", many, lambda _: None, {})).words)
    assert "7 groups that waste less" in words
    assert f"{MOST_GROUPS + 7:,} groups" in words
    assert "Nothing here is nearly the same" in near_report("x", [], lambda _: None, {})
