"""Numbers and parts of the dashboards' pages."""

import subprocess
import sys
from datetime import date

import pytest

from dashboards.analytics import numbers
from dashboards.analytics.asking import POINTS, Filters


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.count(1234567), "1,234,567"),
        (numbers.count(None), "-"),
        (numbers.size(0), "0 B"),
        (numbers.size(999), "999 B"),
        (numbers.size(1_000_000_000), "1.0 GB"),
        (numbers.size(5e18), "5,000.0 PB"),
        (numbers.percent(1), "100 %"),
        (numbers.percent(0.0499), "5 %"),
        (numbers.percent(0.123), "12.3 %"),
        (numbers.money(123456), "$1,234.56"),
        (numbers.seconds(59.94), "59.9 s"),
        (numbers.seconds(61), "1 min 1 s"),
        (numbers.seconds(3600 * 26 + 60), "26 h 1 min"),
        (numbers.ago(0), "just now"),
        (numbers.ago(59), "59 min ago"),
        (numbers.ago(60 * 47), "47 h ago"),
        (numbers.ago(60 * 49), "2 days ago"),
        (numbers.place("file:///a/b"), "/a/b"),
        (numbers.place("s3://b/p"), "s3://b/p"),
    ],
)
def test_numbers_as_people_read_them(shown, expected):
    assert shown == expected


@pytest.mark.parametrize("days", [1, 119, 120, 121, 3650])
def test_a_curve_has_few_points_however_long_it_is(days):
    last = date(2026, 1, 1)
    filters = Filters(first=date.fromordinal(last.toordinal() - days + 1), last=last)
    assert 1 <= -(-days // filters.step) <= POINTS


LAYOUT = """
from dashboards.analytics.layout import Card, cards, empty, panel, table
evil = "<script>alert(1)</script>"
made = [
    cards([Card(title=evil, value=evil, note=evil, tone=evil)]),
    empty(f"a `{evil}` b", command=evil),
    panel(evil, "", hint=evil),
    table([{"a": evil, "b": 1234}], {"a": evil, "b": "n"}),
]
assert not any("<script" in each for each in made), made
assert '<td class="fo-number" title="1,234">1,234</td>' in made[3]
"""


def test_texts_of_others_never_become_markup():
    """In a process of its own: marimo is heavy, and its warnings are not ours."""
    assert subprocess.run([sys.executable, "-c", LAYOUT], check=False).returncode == 0
