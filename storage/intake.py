"""Bytes that arrive from outside, taken in while they are hashed: unpublished until they are whole.

What `Store.receive` is for files that lie in another store, this is for a stream of unknown length
that nobody can read a second time. A crash leaves what `Store.abandon` removes.
"""

import hashlib
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from models.domain.errors import BrokenError


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """A file that was taken in and published.

    Attributes:
        md5: 32 hexadecimal digits.
        sha256: 64 hexadecimal digits: the identity of content.
        version: what the storage knows it by.
        modified_ns: its modification time as listings tell it, nanoseconds since 1970 UTC.
    """

    md5: str
    sha256: str
    size_bytes: int
    version: str
    modified_ns: int


class Intake(ABC):
    """One file on its way in. Belongs to one writer, which may be a different thread each time.

    Leaving it as a context manager without `publish` discards what was written.
    """

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._is_over = False

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._size_bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written so far, 64 hexadecimal digits."""
        return self._sha256.hexdigest()

    def write(self, block: bytes | memoryview) -> None:
        """Append bytes.

        Raises:
            BrokenError: the disk is full or fails, or the file was published already.
            BusyError: the storage does not answer.
        """
        if self._is_over:
            raise BrokenError("nothing can be added to a file that was published or discarded")
        self._put(memoryview(block))
        self._md5.update(block)
        self._sha256.update(block)
        self._size_bytes += len(block)

    def publish(self) -> TakenIn:
        """Make the file durable and give it its key; nothing is ever overwritten.

        Raises:
            ExistsError: the key is taken.
            BrokenError: the disk is full or fails.
            BusyError: the storage does not answer.
        """
        if self._is_over:
            raise BrokenError("this file was published or discarded already")
        version, modified_ns = self._finish()
        self._is_over = True
        return TakenIn(
            md5=self._md5.hexdigest(),
            sha256=self._sha256.hexdigest(),
            size_bytes=self._size_bytes,
            version=version,
            modified_ns=modified_ns,
        )

    def discard(self) -> None:
        """Remove what was written, unless it was published; twice is once."""
        if not self._is_over:
            self._is_over = True
            self._remove()

    @abstractmethod
    def _put(self, block: memoryview) -> None:
        """Write a whole block."""

    @abstractmethod
    def _finish(self) -> tuple[str, int]:
        """Publish; return version and modification time in nanoseconds."""

    @abstractmethod
    def _remove(self) -> None:
        """Remove what was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def now_ns() -> int:
    """Return the time that object storage, which keeps none, is told: whole seconds.

    Listings of S3 tell whole seconds, and versions, not times, say whether a file changed.
    """
    return int(time.time()) * 10**9
