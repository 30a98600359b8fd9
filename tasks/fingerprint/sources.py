"""The bytes a parser sees: sent along, or asked of the parent range by range."""

import io
import os
import socket
from typing import BinaryIO, cast

from tasks.fingerprint import wire

BLOCK_BYTES = 256 * 1024
"""Asked for at a time: one round trip costs as much as sending this."""
FETCH_LIMIT_BYTES = 64 * 1024 * 1024
"""What one file may fetch: indexes of containers (`moov`, central directories) are far smaller."""

STREAMED_STRETCHES = 8
"""Blocks kept while a file is streamed: enough for a reader that goes back by a header or two."""


class TooMuchError(OSError):
    """A parser wants more of a large file than it may have."""


class FetchedFile(io.RawIOBase):
    """A file of which one stretch is here, and the rest comes on demand; read-only, seekable.

    Args:
        channel: to the parent, which answers `{"read": [offset, count]}` with a blob.
        size_bytes: size of the file.
        blob: the stretch that is here.
        blob_at: offset of it.
    """

    def __init__(
        self, channel: socket.socket | None, size_bytes: int, blob: bytearray, blob_at: int
    ) -> None:
        super().__init__()
        self._channel = channel
        self._size = size_bytes
        self._stretches: dict[int, bytes] = {}
        self._here = (blob_at, blob)
        self._at = 0
        self._fetched = 0
        self._limit = FETCH_LIMIT_BYTES
        self._most_stretches: int | None = None
        self.is_whole = len(blob) == size_bytes

    def opened(self) -> BinaryIO:
        """Return a buffered reader at the start."""
        if self.is_whole:
            return io.BytesIO(self._here[1])
        self._at = 0
        return cast("BinaryIO", io.BufferedReader(self, buffer_size=BLOCK_BYTES))

    def streamed(self, limit_bytes: int) -> BinaryIO:
        """Return a reader at the start for a parser that goes through all of a large file.

        Args:
            limit_bytes: what it may fetch; of that only the last few stretches are kept.
        """
        self._limit, self._most_stretches = limit_bytes, STREAMED_STRETCHES
        return self.opened()

    def content(self) -> bytes:
        """Return all bytes.

        Raises:
            TooMuchError: the file is too large for that.
        """
        if self.is_whole:
            return bytes(self._here[1])
        raise TooMuchError("the file is too large to be parsed as a whole")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset, also past the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Read into a buffer; 0 at the end. Raises TooMuchError."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._some(self._at, wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _some(self, offset: int, count: int) -> bytes:
        at, blob = self._here
        if at <= offset < at + len(blob):
            return bytes(blob[offset - at : offset - at + count])
        block = offset // BLOCK_BYTES * BLOCK_BYTES
        if block not in self._stretches:
            self._stretches[block] = self._fetch(block, min(BLOCK_BYTES, self._size - block))
            if self._most_stretches is not None and len(self._stretches) > self._most_stretches:
                del self._stretches[next(iter(self._stretches))]
        found = self._stretches[block]
        return bytes(found[offset - block : offset - block + count])

    def _fetch(self, offset: int, count: int) -> bytes:
        self._fetched += count
        if self._channel is None or self._fetched > self._limit:
            raise TooMuchError("parsing it would read too much of a large file")
        wire.send(self._channel, {"read": [offset, count]})
        answer = wire.receive(self._channel)
        if answer is None or not answer[1]:
            raise TooMuchError("the file could not be read again")
        return bytes(answer[1])
