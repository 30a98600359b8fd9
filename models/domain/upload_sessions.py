"""A resumable upload: what was announced, what is safe."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.domain.errors import InvalidError

METADATA_CHARACTERS = 16 * 1024
"""Longest `Upload-Metadata`: a name, a category and a hundred tags fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSession:
    """One resumable upload.

    Attributes:
        filename: as it was sent.
        received_bytes: bytes that are safe, from the beginning.
        segments: keys of what is safe, in order.
        metadata: `Upload-Metadata` as it was sent.
        file_id: file it became; None while it is unfinished.
        is_expired: whether it is given up.
    """

    id: str
    account_id: str
    reservation_id: str | None
    filename: str
    category: str | None
    tags: tuple[str, ...]
    size_bytes: int
    received_bytes: int
    segments: tuple[str, ...]
    metadata: str
    expires_at: datetime
    file_id: str | None
    is_expired: bool

    @property
    def is_whole(self) -> bool:
        """Whether everything that was announced is here."""
        return self.received_bytes == self.size_bytes


def upload_metadata(header: str) -> Mapping[str, str]:
    """Return the pairs of an `Upload-Metadata` header (tus 1.0, creation).

    Raises:
        InvalidError: it is malformed.
    """
    if len(header) > METADATA_CHARACTERS:
        raise InvalidError("Upload-Metadata is too long")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        if not name.isascii() or name in found:
            raise InvalidError("Upload-Metadata has names in ASCII, each once")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as error:
            raise InvalidError("Upload-Metadata has values in Base64 of UTF-8") from error
    return found


def upload_checksum(header: str) -> tuple[str, bytes]:
    """Return algorithm and digest of an `Upload-Checksum` header (tus 1.0, checksum).

    Raises:
        InvalidError: it is malformed.
    """
    algorithm, _, value = header.strip().partition(" ")
    try:
        return algorithm, base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError("Upload-Checksum is an algorithm and a digest in Base64") from error
