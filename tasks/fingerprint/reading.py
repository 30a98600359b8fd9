"""The one read of a file: all its bytes once, hashed, and those that parsing needs kept."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from models.domain.errors import StaleError
from models.domain.manifest import ManifestRow
from tasks.fingerprint.ports import ByteSource

WHOLE_BYTES = 64 * 1024 * 1024
"""Files up to this size are held in memory while they are parsed; a raw photo has 25 to 60 MB."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Read and hashed at a time of larger files: long enough that handing it over costs nothing."""
KEPT_BYTES = 1024 * 1024
"""What is kept of larger files; their parsers ask for the rest they need by ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one read gave.

    Attributes:
        blob: all bytes, or the first `KEPT_BYTES` of a large file.
        tail: the last bytes of a large file; b"" when `blob` is whole.
    """

    md5: str
    sha256: str
    blob: bytes
    tail: bytes = b""


def read_once(source: ByteSource, row: ManifestRow) -> Content:
    """Return hashes and bytes of exactly the listed version.

    Raises:
        StaleError: the file is not, or no longer, the one that was listed: it is being written.
        MissingError, ForbiddenError, BusyError, BrokenError: storage's, as it could not be read.
    """
    with source.open(row.key) as stream:
        if row.size_bytes <= WHOLE_BYTES:
            content = _read_whole(stream, row)
        else:
            content = _read_stream(stream, row)
    if source.stat(row.key).version != row.version:
        raise _changed()
    return content


def _changed() -> StaleError:
    return StaleError("it changed since it was listed; the next run takes it")


def _read_whole(stream: BinaryIO, row: ManifestRow) -> Content:
    data = stream.read(row.size_bytes + 1)
    while len(data) < row.size_bytes:
        more = stream.read(row.size_bytes + 1 - len(data))
        if not more:
            break
        data += more
    if len(data) != row.size_bytes:
        raise _changed()
    return Content(
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        blob=data,
    )


def _read_stream(stream: BinaryIO, row: ManifestRow) -> Content:
    """Hash a large file, the two hashes of a chunk side by side, while the next is read."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size, kept, tail = 0, b"", b""
    with ThreadPoolExecutor(1) as beside:
        pending = None
        while chunk := stream.read(CHUNK_BYTES):
            if pending is not None:
                pending.result()
            pending = beside.submit(sha256.update, chunk)
            md5.update(chunk)
            size += len(chunk)
            kept = kept or chunk[:KEPT_BYTES]
            tail = (tail + chunk)[-CHUNK_BYTES:] if len(chunk) < CHUNK_BYTES else chunk
    if size != row.size_bytes:
        raise _changed()
    return Content(md5=md5.hexdigest(), sha256=sha256.hexdigest(), blob=kept, tail=tail[-4096:])
