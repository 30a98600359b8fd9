"""Which date a file gets: what it says itself, in the order in which sources are believed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.domain.fingerprint import DateFlag, DateSource

EARLIEST_YEAR = 1900
"""Older is no capture: photography's public domain scans carry their scan's date."""
EARLIEST_YEAR_IN_NAME = 1970
"""Older groups of digits in names are numbers more often than years."""
CONFLICT = timedelta(hours=26)
"""Two capture times farther apart than any two time zones (UTC-12 to UTC+14) disagree."""
EPOCHS = frozenset({"1904-01-01T00:00:00", "1970-01-01T00:00:00", "1980-01-01T00:00:00"})
"""Zero on the clocks of QuickTime, Unix and DOS: an unset field, no date."""

_CLOCK = re.compile(
    r"\s*(?:D:)?(\d{4})[-:./ ]?(\d{2})[-:./ ]?(\d{2})"
    r"(?:[T ]?\s*(\d{2})[:.]?(\d{2})(?:[:.]?(\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(Z|[+-]\d{2}[:']?(?:\d{2})?'?)?"
)
_OFFSET = re.compile(r"([+-])(\d{2})[:']?(\d{2})?")
_NAME = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d{2})(?P<mark>[-_. ]?)(?P<month>0[1-9]|1[0-2])(?P=mark)"
    r"(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:(?:[-_ T.]|\s+at\s+|,\s*)(?P<hour>[01]?\d|2[0-3])(?P<sep>[-_.:h]?)(?P<minute>[0-5]\d)"
    r"(?P=sep)(?P<second>[0-5]\d)(?:\d{3})?(?:[ \u202f]?(?P<half>[AP])M)?)?(?!\d)",
    re.IGNORECASE,
)
"""`IMG_20240131_101112`, `2024-01-31 10.11.12`, `Screenshot 2024-01-31 at 10.11.12`,
`PXL_20240131_101112123`, `WhatsApp Image 2024-01-31 at 10.11.12`, `VID-20240131-WA0001`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateClaim:
    """A date as a file states it.

    Attributes:
        source: a `DateSource` inside the file.
        text: EXIF (`2024:01:31 10:11:12`), ISO 8601 or PDF (`D:20240131101112+01'00'`).
        offset: EXIF's separate offset (`+09:00`), where there is one.
    """

    source: str
    text: str
    offset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateChoice:
    """The date used, and why.

    Attributes:
        captured_at: local wall-clock time, `YYYY-MM-DDTHH:MM:SS`, never converted; None when only
            the modification time is left, which is no wall clock.
        offset_min: what that clock is ahead of UTC in minutes, where the file says.
    """

    captured_at: str | None
    offset_min: int | None
    source: DateSource
    flag: DateFlag


@dataclass(frozen=True, slots=True)
class _Read:
    at: datetime | None
    offset_min: int | None
    flag: DateFlag


def _offset_minutes(text: str) -> int | None:
    if text == "Z":
        return 0
    found = _OFFSET.match(text.strip())
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    value = int(hours) * 60 + int(minutes or 0)
    limit = 14 * 60  # UTC+14 is the farthest there is
    return None if value > limit else -value if sign == "-" else value


def _read(claim: DateClaim, latest: datetime) -> _Read:
    """Return the clock time of a claim, or what is wrong with it."""
    text = claim.text.strip(" \0")
    digits = re.sub(r"\D", "", text)
    if not digits.strip("0"):
        flag = DateFlag.ZEROED if digits or not text.strip(": -") else DateFlag.MALFORMED
        return _Read(None, None, flag)
    found = _CLOCK.match(text)
    try:
        at = _wall_clock(found.groups()[:-1]) if found else None
    except ValueError:
        at = None
    flag = _oddity(at, latest)
    if found is None or flag:
        return _Read(None, None, flag)
    return _Read(at, _offset_minutes(claim.offset or found.groups()[-1] or ""), DateFlag.NONE)


def _oddity(at: datetime | None, latest: datetime) -> DateFlag:
    """Return why a time cannot be a capture's, or NONE."""
    if at is None:
        return DateFlag.MALFORMED
    if at.isoformat() in EPOCHS:
        return DateFlag.ZEROED
    if at.year < EARLIEST_YEAR:
        return DateFlag.MALFORMED
    return DateFlag.FUTURE if at > latest else DateFlag.NONE


def _wall_clock(parts: Iterable[str | None]) -> datetime:
    """Return year, month, ... second as a naive time. Raises ValueError."""
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - whose zone is unknown


def date_in_name(key: str) -> datetime | None:
    """Return the date, with its time where there is one, in the last part of a key."""
    for found in _NAME.finditer(key.rsplit("/", 1)[-1]):
        parts = found.groupdict(default="0")
        if int(parts["year"]) < EARLIEST_YEAR_IN_NAME:
            continue
        if parts["half"] in "APap":  # a twelve-hour clock
            is_evening = parts["half"] in "Pp"
            parts["hour"] = str(int(parts["hour"]) % 12 + 12 * is_evening)
        clock = (parts[name] for name in ("year", "month", "day", "hour", "minute", "second"))
        try:
            return _wall_clock(clock)
        except ValueError:  # the 31st of a shorter month
            continue
    return None


_BELIEF = (DateSource.EXIF, DateSource.XMP, DateSource.CONTAINER)


def choose(claims: Sequence[DateClaim], *, key: str, latest: datetime) -> DateChoice:
    """Return the date of a file.

    The first claim that can be true is used, in the order EXIF, XMP, container, name; the flag says
    what was odd about a claim that was believed more, or that two sources inside disagree.

    Args:
        claims: what the file says, in the order in which tags of one source are believed.
        key: path below the root.
        latest: naive; a later clock is a wrong one. At least a day after the job's start, because a
            wall clock in the Far East is ahead of UTC.
    """
    ordered = sorted(claims, key=lambda claim: _BELIEF.index(DateSource(claim.source)))
    read = [(claim, _read(claim, latest)) for claim in ordered]
    good = [(claim, clock) for claim, clock in read if clock.at is not None]
    flag = next((clock.flag for _, clock in read if clock.flag), DateFlag.NONE)
    if good:
        claim, clock = good[0]
        preceding = next(item.flag for _, item in read)
        if not preceding and _disagree([item.at for _, item in good if item.at is not None]):
            preceding = DateFlag.CONFLICTING
        return _chosen(clock.at, clock.offset_min, DateSource(claim.source), preceding)
    named = date_in_name(key)
    if named is not None and named <= latest:
        return _chosen(named, None, DateSource.NAME, flag)
    return _chosen(None, None, DateSource.MODIFIED, flag)


def _disagree(times: list[datetime]) -> bool:
    return max(times) - min(times) > CONFLICT


def _chosen(
    at: datetime | None, offset_min: int | None, source: DateSource, flag: DateFlag
) -> DateChoice:
    text = at.isoformat(timespec="seconds") if at else None
    return DateChoice(captured_at=text, offset_min=offset_min, source=source, flag=flag)
