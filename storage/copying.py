"""Reading a source that must be what the plan says."""

import hashlib
from collections.abc import Iterator
from typing import cast

from models.domain.errors import StaleError
from models.domain.manifest import ManifestRow
from storage.hashing import Readable, blocks_of
from storage.keys import printable
from storage.store import ExpectedContent, Store


def stale(key: str) -> StaleError:
    """Return the error for a source that is not as planned."""
    return StaleError(f"{printable(key)!r} changed since it was planned, or is being written")


def planned_row(source: Store, key: str, expected: ExpectedContent) -> ManifestRow:
    """Return the source as it is now, of the size that was planned.

    Raises:
        MissingError: it is gone.
        StaleError: its size differs.
    """
    row = source.stat(key)
    if row.size_bytes != expected.size_bytes:
        raise stale(key)
    return row


def planned_blocks(
    source: Store, row: ManifestRow, expected: ExpectedContent
) -> Iterator[memoryview]:
    """Yield the source's bytes; each block is valid until the next.

    Raises:
        StaleError: before the last block is gone through, when the bytes are not `expected`, or
            the source is no longer the version of `row`.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    with source.open(row.key) as stream:
        for block in blocks_of(cast("Readable", stream)):
            size_bytes += len(block)
            if size_bytes > expected.size_bytes:
                raise stale(row.key)
            digest.update(block)
            yield block
    if size_bytes != expected.size_bytes or digest.hexdigest() != expected.sha256:
        raise stale(row.key)
    if source.stat(row.key).version != row.version:
        raise stale(row.key)
