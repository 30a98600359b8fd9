"""One tree of errors. An error knows its kind; edges translate kinds, nobody else does.

FileOrganizerError
├── InvalidError      422, exit 2   the request makes no sense
│   └── UnsafePathError             a path that would leave its root
├── MissingError      404, exit 2   the thing asked for is not there
├── ForbiddenError    403, exit 2   the thing may not be done
├── ConflictError     409, exit 3   the world is not as planned
│   ├── ExistsError                 the destination is taken
│   └── StaleError                  the source or keeper changed since it was read
├── BusyError         503, exit 4   try again: a server or a lock is occupied
└── BrokenError       500, exit 1   a promise inside was not kept
    └── CorruptError                bytes written are not the bytes read
"""

from enum import StrEnum


class Kind(StrEnum):
    """What an edge must know of an error, and nothing more."""

    INVALID = "invalid"
    MISSING = "missing"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    BUSY = "busy"
    BROKEN = "broken"


class FileOrganizerError(Exception):
    """Base of all; `str(error)` says what happened and what to do next."""

    kind: Kind = Kind.BROKEN


class InvalidError(FileOrganizerError):
    """The request makes no sense."""

    kind = Kind.INVALID


class UnsafePathError(InvalidError):
    """A path that would leave its root, or hides what it is."""


class MissingError(FileOrganizerError):
    """The thing asked for is not there."""

    kind = Kind.MISSING


class ForbiddenError(FileOrganizerError):
    """The thing may not be done."""

    kind = Kind.FORBIDDEN


class ConflictError(FileOrganizerError):
    """The world is not as planned."""

    kind = Kind.CONFLICT


class ExistsError(ConflictError):
    """The destination is taken; nothing was overwritten."""


class StaleError(ConflictError):
    """The source or the keeper changed since it was read."""


class BusyError(FileOrganizerError):
    """Occupied or throttled; trying again may help."""

    kind = Kind.BUSY


class BrokenError(FileOrganizerError):
    """A promise inside was not kept."""

    kind = Kind.BROKEN


class CorruptError(BrokenError):
    """Bytes written are not the bytes read."""


EXIT_CODES: dict[Kind, int] = {
    Kind.INVALID: 2,
    Kind.MISSING: 2,
    Kind.FORBIDDEN: 2,
    Kind.CONFLICT: 3,
    Kind.BUSY: 4,
    Kind.BROKEN: 1,
}
"""Exit status of the command line by kind (`docs/cli.md`)."""
