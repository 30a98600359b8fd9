"""Where files live."""

from dataclasses import dataclass
from enum import StrEnum


class RootKind(StrEnum):
    """Who owns the layout below a root (DESIGN D1)."""

    MANAGED = "managed"
    """Uploads: bytes live at `tenants/<id>/<uuid>` and never move; organizing changes rows."""
    CONNECTED = "connected"
    """A folder or bucket of the user's: organizing moves bytes by the journaled protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRoot:
    """One folder, bucket prefix or memory tree.

    Attributes:
        url: `file:///absolute/path`, `s3://bucket/prefix` or `memory://name`; canonical.
    """

    id: str
    account_id: str | None
    kind: RootKind
    url: str
