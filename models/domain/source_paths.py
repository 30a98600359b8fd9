"""What a job's `source_path` may say: uploads, or a folder of a connection."""

import re
from dataclasses import dataclass

from models.domain.errors import InvalidError
from models.domain.paths import confine

UPLOADS = "/uploads"
"""Where an account sees what it uploaded."""

_CONNECTION = re.compile(
    r"(?P<id>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}):(?P<path>.*)\Z", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePath:
    """A folder that one account may name.

    Attributes:
        connection_id: the connection it is below; None for uploads.
        key: path below the root of either; empty for the root itself.
    """

    connection_id: str | None
    key: str


def source_from(text: str) -> SourcePath:
    """Return what a `source_path` names: `/uploads/batch-123` or `<connection id>:/2024`.

    Whatever it says, it stays below the account's uploads or the connection's root.

    Raises:
        InvalidError: it is neither.
        UnsafePathError: a part of it would leave its root, or hides what it is.
    """
    found = _CONNECTION.match(text)
    if found is not None:
        return SourcePath(connection_id=found["id"].lower(), key=confine(found["path"]))
    if text == UPLOADS or text.startswith(f"{UPLOADS}/"):
        return SourcePath(connection_id=None, key=confine(text[len(UPLOADS) :]))
    confine(text)  # says what is wrong with a hostile one
    raise InvalidError("a source is /uploads, /uploads/folder or <connection id>:/folder")


def text_of(source: SourcePath) -> str:
    """Return a source as it is written: what `source_from` understands."""
    if source.connection_id is not None:
        return f"{source.connection_id}:/{source.key}"
    return f"{UPLOADS}/{source.key}" if source.key else UPLOADS
