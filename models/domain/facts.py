"""The values of template fields, from what is known of one file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from models.domain.fingerprint import DateFlag, DateSource
from models.domain.paths import split_name

_DATE = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MB = 1_000_000

SIZE_BANDS: tuple[tuple[int, str], ...] = (
    (0, "Empty"),
    (_MB, "Under 1 MB"),
    (10 * _MB, "1 MB to 10 MB"),
    (100 * _MB, "10 MB to 100 MB"),
    (1000 * _MB, "100 MB to 1 GB"),
)
"""Largest size in bytes of each band (GB = 10^9 bytes); what is larger is `Over 1 GB`."""

_PLAIN_FOLDERS = re.compile(
    r"(?:[\W\d_]*|dcim|\d{3}[a-z_]{5}|camera( uploads| roll)?|photos?|pictures?|images?|videos?|"
    r"movies|music|audio|documents?|docs|downloads?|desktop|inbox|misc|temp|tmp|new folder.*|"
    r"untitled folder.*|backups?|copies|export|import|whatsapp.*)\Z",
    re.IGNORECASE,
)
"""Folders whose name says what kind of thing is in them, or nothing, but not what happened."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "category": ("category",),
    "coarse_category": ("coarse_category",),
    "subcategory": ("subcategory",),
    "year": ("captured_at", "captured_source", "captured_flag", "modified_ns"),
    "month": ("captured_at", "captured_source", "captured_flag", "modified_ns"),
    "day": ("captured_at", "captured_source", "captured_flag", "modified_ns"),
    "date": ("captured_at", "captured_source", "captured_flag", "modified_ns"),
    "mime": ("mime",),
    "media": ("media",),
    "camera": ("camera_make", "camera_model"),
    "place": ("latitude", "longitude"),
    "hash8": ("sha256",),
    "size_band": ("size_bytes",),
    "artist": ("artist",),
    "album": ("album",),
    "track": ("track",),
    "title": ("title",),
    "sender": ("sender",),
}
"""Columns of fingerprints and categories that a field is made from; others come from the path."""


@dataclass(frozen=True, slots=True)
class DateUsed:
    """The date a file is filed under.

    Attributes:
        date: `YYYY-MM-DD` on the wall clock where it was captured; None when there is none.
        source: where it came from, a `DateSource`.
        flag: what is odd about it, a `DateFlag`.
    """

    date: str | None
    source: str
    flag: str

    @property
    def remark(self) -> str:
        """What to tell about an odd date, in words; empty when nothing is."""
        if self.date is None:
            return "no usable date"
        if not self.flag:
            return ""
        return f"{self.flag} date in the file; dated by {_SOURCES.get(self.source, self.source)}"


_SOURCES: dict[str, str] = {
    DateSource.EXIF: "EXIF",
    DateSource.XMP: "XMP",
    DateSource.CONTAINER: "its container",
    DateSource.NAME: "its name",
    DateSource.MODIFIED: "its modification time",
}


def date_used(row: Mapping[str, Any]) -> DateUsed:
    """Return the date of a file: of its capture as its own clock showed it, else of its change.

    Nothing is converted: 08:00 on January 1 in Tokyo is that year wherever this runs. The
    modification time has no zone of its own and is read as UTC, so that every machine agrees.

    Args:
        row: `captured_at`, `captured_source`, `captured_flag`, `modified_ns`.
    """
    captured: str | None = row["captured_at"]
    source: str = row["captured_source"] or DateSource.MODIFIED
    flag: str = row["captured_flag"] or DateFlag.NONE
    if captured:
        match = _DATE.match(captured)
        if match and match[1] != "0000":
            return DateUsed(match[0], source, flag)
        flag = flag or DateFlag.MALFORMED
    modified = _modified_date(row["modified_ns"])
    if modified is None:
        flag = flag or DateFlag.ZEROED
    return DateUsed(modified, DateSource.MODIFIED, flag)


def _modified_date(modified_ns: int | None) -> str | None:
    if not modified_ns or modified_ns < 0:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=modified_ns // 1000)).date().isoformat()
    except OverflowError:
        return None


def size_band(size_bytes: int) -> str:
    """Return the band of a size; see `SIZE_BANDS`."""
    return next((name for limit, name in SIZE_BANDS if size_bytes <= limit), "Over 1 GB")


def camera(make: str | None, model: str | None) -> str | None:
    """Return maker and model, the maker once: `Canon EOS 5D`, not `Canon Canon EOS 5D`."""
    make, model = " ".join((make or "").split()), " ".join((model or "").split())
    if not model:
        return make or None
    first = make.split(" ", 1)[0].casefold()
    if not make or model.casefold().startswith(first):
        return model
    return f"{make} {model}"


def place_name(latitude: float | None, longitude: float | None) -> str | None:
    """Return a cell of a tenth of a degree (about 11 km): `52.5N 13.4E`; needs no gazetteer."""
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
        return None
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.1f}{north} {abs(longitude):.1f}{east}"


def event_name(folder: str) -> str | None:
    """Return the nearest folder that tells what happened: `Wedding Anna`, not `DCIM` or `2020`."""
    for part in reversed(folder.split("/")):
        if part and not _PLAIN_FOLDERS.match(part):
            return part
    return None


def _path_values(row: Mapping[str, Any], fields: frozenset[str]) -> dict[str, str | None]:
    folder, stem, ext = split_name(row["key"])
    values: dict[str, str | None] = {"stem": stem, "ext": ext, "folder": folder}
    if "extension" in fields:
        values["extension"] = ext.lstrip(".").lower() or None
    if "event" in fields:
        values["event"] = event_name(folder)
    return values


def field_values(row: Mapping[str, Any], fields: frozenset[str]) -> dict[str, str | None]:
    """Return the values of the fields that a template names.

    Args:
        row: `key` and the columns that `columns_of` names.
        fields: the template's.

    Returns:
        By field; None or absent where the file does not say. `country`, `city` and `tag` have no
        source yet and `project` and `counter` are the planner's.
    """
    values = _path_values(row, fields)
    for field in fields & _MAKERS.keys():
        values[field] = _MAKERS[field](row)
    if fields & _DATES:
        used = date_used(row).date
        if used is not None:
            values.update(year=used[:4], month=used[5:7], day=used[8:10], date=used)
    return values


def columns_of(fields: frozenset[str]) -> list[str]:
    """Return the columns that the fields are made from, sorted; `key` is always among them."""
    return sorted({"key", *(column for field in fields for column in COLUMNS.get(field, ()))})


_DATES = frozenset({"year", "month", "day", "date"})
_MAKERS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "category": lambda row: row["category"],
    "coarse_category": lambda row: row["coarse_category"],
    "subcategory": lambda row: row["subcategory"],
    "mime": lambda row: row["mime"],
    "media": lambda row: row["media"],
    "camera": lambda row: camera(row["camera_make"], row["camera_model"]),
    "place": lambda row: place_name(row["latitude"], row["longitude"]),
    "hash8": lambda row: (row["sha256"] or "")[:8] or None,
    "size_band": lambda row: size_band(row["size_bytes"]),
    "artist": lambda row: row["artist"],
    "album": lambda row: row["album"],
    "track": lambda row: None if row["track"] is None else f"{row['track']:02d}",
    "title": lambda row: row["title"],
    "sender": lambda row: (row["sender"] or "").lower() or None,
}
