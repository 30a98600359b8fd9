"""What a key may look like inside the storage: checked before any byte is touched.

A key comes from a listing, a plan or our own code; what a *user* types goes through
`models.domain.paths.confine` first. Newlines, quotes, backslashes and leading dashes are legal in
keys, because they are legal in file names.
"""

import re

from models.domain.errors import ForbiddenError, InvalidError, UnsafePathError
from models.domain.organizing import RESERVED_PREFIX

TRASH = f"{RESERVED_PREFIX}/trash"
"""Folder of the trash below a root."""

STAGING = f"{RESERVED_PREFIX}/tmp"  # noqa: S108 - below a root, not /tmp
"""Folder of temporary bytes and ownership notes below a root."""

MAX_KEY_BYTES = 4000
"""Longest key in bytes: Linux resolves at most 4,096 (PATH_MAX in linux/limits.h)."""

_UNSAFE = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|\x00")
_MARK = re.compile(r"[A-Za-z0-9._-]{1,180}\Z")


def printable(name: str) -> str:
    r"""Return a name with undecodable bytes as `\xNN`, fit for a report."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_reserved(name: str) -> bool:
    """Return whether one path component is our own folder, at whatever depth."""
    return name == RESERVED_PREFIX


def _is_plain(key: str) -> bool:
    """Return whether a few cheap looks already show that a key is safe and not ours.

    Most keys are plain, and a rename of a file is a few microseconds: no dot begins a part.
    """
    return (
        key.isascii()
        and "/." not in key
        and "//" not in key
        and "\0" not in key
        and not key.startswith((".", "/"))
        and not key.endswith("/")
        and 0 < len(key) <= MAX_KEY_BYTES
    )


def check_key(key: str) -> str:
    """Return the key when it names something strictly below a root.

    Raises:
        UnsafePathError: it is empty, absolute, has `.`, `..` or empty parts, or a NUL.
        InvalidError: it cannot be written as UTF-8, or is too long.
    """
    if _is_plain(key):
        return key
    if _UNSAFE.search(key):
        raise UnsafePathError(f"not a key below a root: {printable(key)!r}")
    if not key.isascii():
        try:
            encoded = key.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidError(f"not a UTF-8 name: {printable(key)!r}") from error
        length = len(encoded)
    else:
        length = len(key)
    if length > MAX_KEY_BYTES:
        raise InvalidError(f"a key of {length} bytes is too long (limit {MAX_KEY_BYTES})")
    return key


def check_writable(key: str) -> str:
    """Return the key when files may be put or removed there: anything but our own folder.

    The trash is the one part of our folder that movers may write.

    Raises:
        UnsafePathError, InvalidError: see `check_key`.
        ForbiddenError: it lies in our own folder.
    """
    if _is_plain(key):
        return key
    check_key(key)
    if RESERVED_PREFIX in key:
        inner = key.removeprefix(TRASH + "/")
        if any(is_reserved(part) for part in inner.split("/")):
            raise ForbiddenError(f"{printable(key)!r} lies in a folder of Fileorganizer's own")
    return key


def check_folder(folder: str) -> str:
    """Return the key of a folder; the empty string is the root.

    Raises:
        UnsafePathError, InvalidError: see `check_key`.
    """
    return check_key(folder) if folder else folder


def check_mark(mark: str) -> str:
    """Return the mark when it can be a file name everywhere.

    Raises:
        InvalidError: it has other characters than letters, digits, `.`, `_`, `-`, or too many.
    """
    if not _MARK.match(mark) or mark.startswith("."):
        raise InvalidError(f"not a mark: {mark!r}")
    return mark


def split_key(key: str) -> tuple[str, str]:
    """Return the folder of a key (empty for the root) and its last part."""
    folder, _, name = key.rpartition("/")
    return folder, name
