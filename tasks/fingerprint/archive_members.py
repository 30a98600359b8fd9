"""Inside a child: a member on its way past, and what looking at an archive may cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from tasks.fingerprint.sources import TooMuchError

MAX_MEMBERS = 200_000
"""Members listed of one archive: their names and hashes are 60 MB."""
MAX_UNPACKED_BYTES = 64 * 1024**3
"""Bytes unpacked of one archive: a minute of hashing for each 30 GB, more to unpack them."""
MAX_RATIO = 250
"""Unpacked bytes for each byte of the archive, past `RATIO_FREE_BYTES`. Deflate reaches 1,032
(zlib's own limit) on zeros alone; logs and dumps stay below 50."""
RATIO_FREE_BYTES = 256 * 1024 * 1024
"""Unpacked without a look at the ratio: a small archive of zeros costs a second."""
PIECE_BYTES = 1 << 20
"""Read and hashed at a time."""


@dataclass(slots=True)
class Gauge:
    """Counts what an archive costs, and stops where it costs too much.

    Attributes:
        archive_bytes: size of the archive.
        cpu_until_s: CPU time of the process at which to stop.
    """

    archive_bytes: int
    cpu_until_s: float
    members: int = 0
    unpacked_bytes: int = 0

    def count_member(self) -> None:
        """Count one. Raises TooMuchError."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise TooMuchError(f"it has more than {MAX_MEMBERS:,} members")
        if not self.members % 1024 and time.process_time() > self.cpu_until_s:
            raise TooMuchError("looking through it takes too much time")

    def count_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises TooMuchError."""
        self.unpacked_bytes += count
        if self.unpacked_bytes > MAX_UNPACKED_BYTES:
            raise TooMuchError(f"it unpacks to more than {MAX_UNPACKED_BYTES / 1e9:,.0f} GB")
        free = max(RATIO_FREE_BYTES, MAX_RATIO * self.archive_bytes)
        if self.unpacked_bytes > free:
            raise TooMuchError(f"it unpacks to more than {MAX_RATIO} times its size")
        if time.process_time() > self.cpu_until_s:
            raise TooMuchError("unpacking it takes too much time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A member on its way past.

    Attributes:
        name: as the archive has it.
        size_bytes: as the archive claims.
        open: returns its bytes as a stream; None when it has none to read.
        problem: why it has none.
        same_as: name of an earlier member that is the same file (a hardlink in a tar).
    """

    name: str
    size_bytes: int
    open: Callable[[], BinaryIO] | None = None
    problem: str | None = None
    same_as: str | None = None


class EndOfArchiveError(ValueError):
    """The stream that holds all members ends or breaks here; no later member can be read."""
