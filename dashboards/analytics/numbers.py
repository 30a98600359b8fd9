"""Numbers and places as people read them; where there is no number, a dash."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_MINUTE_S, _HOUR_S = 60, 3600
_HOUR_MINUTES, _DAY_MINUTES = 60, 1440
NONE = "-"


def count(value: float | None) -> str:
    """Return a whole number with its thousands marked."""
    return NONE if value is None else f"{value:,.0f}"


def size(size_bytes: float | None) -> str:
    """Return a size; 1 GB is 10^9 bytes."""
    if size_bytes is None:
        return NONE
    value = float(size_bytes)
    for unit in _UNITS:
        if abs(value) < _THOUSAND or unit == _UNITS[-1]:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= _THOUSAND
    raise AssertionError


def percent(ratio: float | None) -> str:
    """Return a ratio in percent, with one digit where it tells something."""
    return NONE if ratio is None else f"{100 * ratio:.1f}".removesuffix(".0") + " %"


def money(cents: float | None) -> str:
    """Return US cents as dollars."""
    return NONE if cents is None else f"${cents / 100:,.2f}"


def seconds(value_s: float | None) -> str:
    """Return a duration."""
    if value_s is None:
        return NONE
    if value_s < _MINUTE_S:
        return f"{value_s:.1f} s"
    minutes, rest = divmod(round(value_s), _MINUTE_S)
    if value_s < _HOUR_S:
        return f"{minutes} min {rest} s"
    return f"{minutes // _HOUR_MINUTES} h {minutes % _HOUR_MINUTES} min"


def ago(minutes: int | None) -> str:
    """Return how long something is ago."""
    if minutes is None:
        return NONE
    if minutes < 1:
        return "just now"
    if minutes < _HOUR_MINUTES:
        return f"{minutes} min ago"
    if minutes < 2 * _DAY_MINUTES:
        return f"{minutes // _HOUR_MINUTES} h ago"
    return f"{minutes // _DAY_MINUTES} days ago"


def place(url: str) -> str:
    """Return a root as people know it: a folder as its path."""
    return url.removeprefix("file://")
