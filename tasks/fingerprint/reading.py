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
PIECE_BYTES = 64 * 1024
"""Read and hashed at a time of smaller files: the fastest of 64 KB, 256 KB, 1 MB and 4 MB here."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Read and hashed at a time of larger files: long enough that handing it over costs nothing."""
KEPT_BYTES = 1024 * 1024
"""What is kept of larger files; their parsers ask for the rest they need by ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one read gave.

    Attributes:
        blob: all bytes, or the first `KEPT_BYTES` of a large file; valid until the buffer it lies
            in is used for the next file.
        tail: the last bytes of a large file; b"" when `blob` is whole.
    """

    md5: str
    sha256: str
    blob: bytes | memoryview
    tail: bytes = b""


class Buffer:
    """Memory one thread reads file after file into: new memory for each costs a tenth of hashing.

    It grows to the largest file it held, at most `WHOLE_BYTES`.
    """

    def __init__(self) -> None:
        self._memory = bytearray(CHUNK_BYTES)

    def of(self, size: int) -> memoryview:
        """Return the first `size` bytes, of whatever content."""
        if len(self._memory) < size:
            self._memory = bytearray(size)
        return memoryview(self._memory)[:size]


def read_once(source: ByteSource, row: ManifestRow, buffer: Buffer) -> Content:
    """Return hashes and bytes of exactly the listed version.

    Raises:
        StaleError: the file is not, or no longer, the one that was listed: it is being written.
        MissingError, ForbiddenError, BusyError, BrokenError: storage's, as it could not be read.
    """
    with source.open(row.key) as stream:
        if row.size_bytes <= WHOLE_BYTES:
            content = _read_whole(stream, row, buffer)
        else:
            content = _read_stream(stream, row)
    if source.stat(row.key).version != row.version:
        raise _changed()
    return content


def _changed() -> StaleError:
    return StaleError("it changed since it was listed; the next run takes it")


def _read_whole(stream: BinaryIO, row: ManifestRow, buffer: Buffer) -> Content:
    """Hash each piece while it is still in the processor's cache."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    memory = buffer.of(row.size_bytes)
    at = 0
    while count := _read_into(stream, memory[at : at + PIECE_BYTES]):
        md5.update(memory[at : at + count])
        sha256.update(memory[at : at + count])
        at += count
    if at == row.size_bytes and stream.read(1):
        raise _changed()
    if at != row.size_bytes:
        raise _changed()
    return Content(md5=md5.hexdigest(), sha256=sha256.hexdigest(), blob=memory)


def _read_into(stream: BinaryIO, memory: memoryview) -> int:
    """Fill some of the memory; return how much, 0 at the end."""
    if not memory:
        return 0
    direct = getattr(stream, "readinto", None)
    if direct is not None:
        return int(direct(memory) or 0)
    piece = stream.read(len(memory))
    memory[: len(piece)] = piece
    return len(piece)


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
