"""One version of an S3 object as a stream of ranged reads."""

import io
import os

from models.domain.errors import MissingError, StaleError
from storage.keys import printable
from storage.s3_calls import Fetched, PreconditionError, RangeError, S3Calls, etag_of

BLOCK_BYTES = 8 << 20
"""Bytes per request: a part of AWS's own multipart default, 20 times the latency's worth."""


class ObjectReader(io.RawIOBase):
    """Reads one version only: each range asks for the ETag that the first reply had.

    Args:
        calls: the door to S3.
        bucket: its bucket.
        name: the whole key in the bucket.
        offset: where to begin.
        version: ETag that must be there; the current one when None.

    Raises:
        MissingError: it is not there.
        StaleError: another version is there; also while reading.
    """

    def __init__(
        self, calls: S3Calls, bucket: str, name: str, *, offset: int = 0, version: str | None = None
    ) -> None:
        super().__init__()
        self._calls = calls
        self._bucket = bucket
        self._name = name
        self._position = offset
        self._start = offset
        self._block = b""
        self.version = version
        first = self._fetch(offset)
        self._block = first.data
        self.version = first.etag
        self.size_bytes = first.total_bytes

    def _fetch(self, start: int) -> Fetched:
        condition = {} if self.version is None else {"IfMatch": f'"{self.version}"'}
        try:
            return self._calls.fetch(
                Bucket=self._bucket, Key=self._name, start=start, length=BLOCK_BYTES, **condition
            )
        except RangeError:
            reply = self._calls.call("head_object", Bucket=self._bucket, Key=self._name)
            etag = etag_of(reply)
            if self.version not in {None, etag}:
                raise StaleError(f"{printable(self._name)!r} changed while it was read") from None
            return Fetched(data=b"", total_bytes=int(reply["ContentLength"]), etag=etag)
        except PreconditionError as error:
            raise StaleError(f"{printable(self._name)!r} is not the version planned") from error

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; costs nothing until something is read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "memoryview | bytearray", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - typeshed's Buffer is not in Python 3.11
        """Fill the buffer from the position; 0 at the end."""
        if self._position >= self.size_bytes:
            return 0
        inside = self._position - self._start
        if not 0 <= inside < len(self._block):
            self._block = self._fetch(self._position).data
            self._start = self._position
            inside = 0
            if not self._block:
                raise MissingError(f"{printable(self._name)!r} ended early")
        count = min(len(buffer), len(self._block) - inside)
        buffer[:count] = self._block[inside : inside + count]
        self._position += count
        return count
