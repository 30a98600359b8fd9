"""Content's identity: MD5 and SHA-256 in one read."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

BLOCK_BYTES = 1 << 20
"""Bytes per read: from 256 KiB up the digests, not the calls, take the time."""


class Readable(Protocol):
    """Anything that fills a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from the current position; 0 at the end."""
        ...


class _Spare(threading.local):
    """Blocks of a thread to use again: a fresh one costs more than hashing a small file."""

    def __init__(self) -> None:
        self.blocks: list[bytearray] = []


_SPARE = _Spare()


def blocks_of(readable: Readable) -> Iterator[memoryview]:
    """Yield the rest of a stream as blocks of at most 1 MiB; each is valid until the next."""
    spare = _SPARE.blocks
    block = spare.pop() if spare else bytearray(BLOCK_BYTES)
    view = memoryview(block)
    try:
        while count := readable.readinto(view):
            yield view[:count]
    finally:
        spare.append(block)


def hash_stream(
    readable: Readable,
    *,
    on_head: Callable[[bytes], None] | None = None,
    head_bytes: int = 0,
) -> tuple[str, str, int]:
    """Return MD5, SHA-256 (lower-case hexadecimal) and the count of bytes read to the end.

    Args:
        readable: stream at the position to start from.
        on_head: called once with the first `head_bytes` bytes (fewer when the stream is shorter),
            so that whoever needs the head does not read it again.
        head_bytes: how many bytes `on_head` wants.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size_bytes = 0
    head = bytearray()
    is_head_due = on_head is not None
    for block in blocks_of(readable):
        md5.update(block)
        sha256.update(block)
        size_bytes += len(block)
        if is_head_due:
            head += block[: head_bytes - len(head)]
            if on_head is not None and len(head) >= head_bytes:
                on_head(bytes(head))
                is_head_due = False
    if on_head is not None and is_head_due:
        on_head(bytes(head))
    return md5.hexdigest(), sha256.hexdigest(), size_bytes
