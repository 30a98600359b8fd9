"""What the operating system says, in the house's words."""

import errno

from models.domain.errors import (
    BrokenError,
    BusyError,
    ExistsError,
    FileOrganizerError,
    ForbiddenError,
    InvalidError,
    MissingError,
    UnsafePathError,
)
from storage.keys import printable

_KINDS: dict[int, tuple[type[FileOrganizerError], str]] = {
    errno.ENOENT: (MissingError, "is not there"),
    errno.ENOTDIR: (MissingError, "is not there: a part of its path is no folder"),
    errno.EEXIST: (ExistsError, "is taken"),
    errno.ENOTEMPTY: (ExistsError, "is taken"),
    errno.EISDIR: (ExistsError, "is a folder"),
    errno.ELOOP: (UnsafePathError, "leads through a symbolic link, which is never followed"),
    errno.ENAMETOOLONG: (InvalidError, "is too long a name for this disk"),
    errno.EILSEQ: (InvalidError, "is no name this disk can write"),
    errno.EACCES: (ForbiddenError, "may not be touched: check its owner and permissions"),
    errno.EPERM: (ForbiddenError, "may not be touched: check its owner and attributes"),
    errno.EROFS: (ForbiddenError, "lies on a read-only disk: mount it writable"),
    errno.ETXTBSY: (BusyError, "is running as a program"),
    errno.EBUSY: (BusyError, "is in use"),
    errno.EAGAIN: (BusyError, "is locked by another worker"),
    errno.EMFILE: (BusyError, "cannot be opened: too many open files"),
    errno.ENFILE: (BusyError, "cannot be opened: too many open files on this machine"),
    errno.ESTALE: (BusyError, "is on a network disk that was away"),
    errno.ETIMEDOUT: (BusyError, "is on a disk that does not answer"),
    errno.EHOSTDOWN: (BusyError, "is on a network disk that is away"),
    errno.ENOTCONN: (BusyError, "is on a network disk that is away"),
    errno.ENOSPC: (BrokenError, "cannot be written: the disk is full; free space and try again"),
    errno.EDQUOT: (BrokenError, "cannot be written: the disk quota is used up"),
    errno.EFBIG: (BrokenError, "is larger than this disk allows for one file"),
    errno.EIO: (BrokenError, "could not be read or written: the disk reports an error"),
}
"""Meanings of errno(3) for a key; anything else is a broken promise."""


def translated(error: OSError, key: str) -> FileOrganizerError:
    """Return the error to raise (`from error`) for a failed call on a key."""
    kind, text = _KINDS.get(
        error.errno or 0, (BrokenError, f"failed: {error.strerror or type(error).__name__}")
    )
    return kind(f"{printable(key)!r} {text}")
