"""Storage that an account connected."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConnectionType(StrEnum):
    """What is connected."""

    LOCAL = "local"
    """A folder of the machine that runs the product, below one its operator allows."""
    S3 = "s3"
    R2 = "r2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One folder or bucket.

    Attributes:
        root_url: canonical.
        endpoint_url: S3-compatible server; None is AWS itself, or a folder.
        sealed: access key and secret as `storage.sealing` keeps them; None of a folder.
    """

    id: str
    account_id: str
    type: ConnectionType
    name: str
    root_url: str
    endpoint_url: str | None
    region: str | None
    sealed: str | None
    created_at: datetime
