"""Dates: what a file says is believed in order, never converted, and what is odd is flagged."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.fingerprint import DateFlag, DateSource
from tasks.fingerprint.dates import DateClaim, choose, date_in_name

LATEST = datetime(2026, 1, 2)  # noqa: DTZ001 - a wall clock's time


def claim(text: str, source: str = "exif", offset: str = "") -> DateClaim:
    return DateClaim(source=source, text=text, offset=offset)


@pytest.mark.scenario(38)
def test_new_year_morning_in_tokyo_stays_in_the_new_year():
    date = choose([claim("2024:01:01 08:00:00", offset="+09:00")], key="a.jpg", latest=LATEST)
    assert date.captured_at == "2024-01-01T08:00:00"
    assert date.offset_min == 540
    assert date.source is DateSource.EXIF
    assert date.flag is DateFlag.NONE


@pytest.mark.scenario(39)
@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("0000:00:00 00:00:00", DateFlag.ZEROED),
        ("    :  :     :  :  ", DateFlag.ZEROED),
        ("1970-01-01T00:00:00Z", DateFlag.ZEROED),
        ("1904-01-01T00:00:00.000000Z", DateFlag.ZEROED),
        ("2031:05:06 07:08:09", DateFlag.FUTURE),
        ("2020:13:41 07:08:09", DateFlag.MALFORMED),
        ("yesterday at 5", DateFlag.MALFORMED),
        ("0203:05:06 07:08:09", DateFlag.MALFORMED),
    ],
)
def test_impossible_dates_are_flagged_and_the_fallback_is_named(text: str, flag: DateFlag):
    fallen = choose([claim(text)], key="x/IMG_20230405_060708.jpg", latest=LATEST)
    assert (fallen.flag, fallen.source) == (flag, DateSource.NAME)
    assert fallen.captured_at == "2023-04-05T06:07:08"
    last = choose([claim(text)], key="x/photo.jpg", latest=LATEST)
    assert (last.flag, last.source, last.captured_at) == (flag, DateSource.MODIFIED, None)


@pytest.mark.scenario(39)
def test_sources_that_disagree_are_flagged_and_the_most_believed_is_used():
    claims = [claim("2010-01-01T00:00:00", "xmp"), claim("2020:01:01 10:00:00")]
    date = choose(claims, key="a.jpg", latest=LATEST)
    assert date.captured_at == "2020-01-01T10:00:00"
    assert (date.source, date.flag) == (DateSource.EXIF, DateFlag.CONFLICTING)


def test_times_one_zone_apart_do_not_disagree():
    claims = [claim("2020:01:01 23:00:00"), claim("2020-01-02T09:00:00Z", "container")]
    assert choose(claims, key="a.jpg", latest=LATEST).flag is DateFlag.NONE


@pytest.mark.parametrize(
    ("text", "at", "offset"),
    [
        ("D:20200131101112+01'00'", "2020-01-31T10:11:12", 60),
        ("D:20200131", "2020-01-31T00:00:00", None),
        ("2014-12-19T07:39:06+0700", "2014-12-19T07:39:06", 420),
        ("2019-05-06T07:08:09Z", "2019-05-06T07:08:09", 0),
        ("2019-05-06 07:08:09.123-03:30", "2019-05-06T07:08:09", -210),
    ],
)
def test_forms_of_containers(text: str, at: str, offset: int | None):
    date = choose([claim(text, "container")], key="a", latest=LATEST)
    assert (date.captured_at, date.offset_min) == (at, offset)
    assert date.source is DateSource.CONTAINER


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20240131_101112.jpg", "2024-01-31T10:11:12"),
        ("PXL_20240131_101112123.jpg", "2024-01-31T10:11:12"),
        ("Screenshot 2024-01-31 at 10.11.12.png", "2024-01-31T10:11:12"),
        ("Screen Shot 2019-07-30 at 8.05.04 PM.png", "2019-07-30T20:05:04"),
        ("WhatsApp Image 2024-01-31 at 10.11.12.jpeg", "2024-01-31T10:11:12"),
        ("VID-20240131-WA0001.mp4", "2024-01-31T00:00:00"),
        ("scan 2024.01.31.pdf", "2024-01-31T00:00:00"),
        ("2024-02-30.txt", None),
        ("120240131.txt", None),
        ("invoice 20249999.pdf", None),
        ("19240131.txt", None),
        ("2024-01-31/photo.jpg", None),
    ],
)
def test_dates_in_names(name: str, expected: str | None):
    found = date_in_name(name)
    assert (found.isoformat() if found else None) == expected


@settings(deadline=None)  # the machine is shared
@given(st.lists(st.builds(claim, st.text(), st.sampled_from(["exif", "xmp", "container"]))))
def test_no_text_breaks_it_and_the_result_is_possible(claims: list[DateClaim]):
    date = choose(claims, key="a", latest=LATEST)
    if date.captured_at is not None:
        assert datetime.fromisoformat(date.captured_at) <= LATEST


@settings(deadline=None)  # the machine is shared
@given(st.datetimes(datetime(1980, 1, 2), LATEST), st.permutations(range(3)))  # noqa: DTZ001
def test_order_of_sources_never_matters(at: datetime, order: list[int]):
    texts = [
        claim(at.strftime("%Y:%m:%d %H:%M:%S")),
        claim("2001-02-03T04:05:06", "xmp"),
        claim("2002-02-03T04:05:06", "container"),
    ]
    date = choose([texts[index] for index in order], key="a", latest=LATEST)
    assert date.captured_at == at.isoformat(timespec="seconds")
