"""Inside a child: 7z and Zstandard through libarchive (BSD), where the system has it.

`libarchive-c` (CC0) is a thin layer over the shared library; without the library it cannot be
imported, and what needs it says how to get it.
"""

import ctypes
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from models.domain.archives import MemberProblem
from tasks.fingerprint.archive_members import PIECE_BYTES, EndOfArchiveError, Found

MISSING = (
    "not supported without libarchive; install it (Debian: libarchive13, macOS: brew install "
    "libarchive, Windows: it comes with conda's libarchive)"
)
_FAILED = -30
"""ARCHIVE_FATAL (archive.h), what a callback answers when it cannot go on."""


def load() -> Any:
    """Return the module `libarchive`.

    Raises:
        NotImplementedError: the library is not installed.
    """
    try:
        import libarchive
    except Exception as error:
        raise NotImplementedError(MISSING) from error
    return libarchive


def is_available() -> bool:
    """Return whether 7z and Zstandard can be read here."""
    try:
        load()
    except NotImplementedError:
        return False
    return True


def prepare() -> None:
    """Load the library, where there is one."""
    is_available()


class _Callbacks:
    """Gives libarchive the bytes of a stream; an error waits until Python has the word again."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = ctypes.create_string_buffer(PIECE_BYTES)
        self.error: BaseException | None = None

    def read(self, _archive: Any, _context: Any, to: Any) -> int:
        def call() -> int:
            piece = self._stream.read(PIECE_BYTES)
            ctypes.memmove(self._buffer, piece, len(piece))
            target = ctypes.cast(to, ctypes.POINTER(ctypes.c_void_p))
            target[0] = ctypes.cast(self._buffer, ctypes.c_void_p)
            return len(piece)

        return self._guarded(call)

    def seek(self, _archive: Any, _context: Any, offset: int, whence: int) -> int:
        return self._guarded(lambda: self._stream.seek(offset, whence))

    def _guarded(self, call: Callable[[], int]) -> int:
        """Nothing may be raised through foreign frames."""
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 - raised again by `raise_waiting`
            self.error = error
            return _FAILED

    def raise_waiting(self) -> None:
        """Raise what a callback met."""
        if self.error is not None:
            raise self.error


def _entries(stream: BinaryIO, *, format_name: str, filter_name: str) -> Iterator[Any]:
    """Yield the entries of an archive.

    Raises:
        NotImplementedError: libarchive is not installed.
        EndOfArchiveError: it is damaged.
    """
    library = load()
    calls = _Callbacks(stream)
    reader = library.read.custom_reader(
        calls.read, format_name=format_name, filter_name=filter_name, seek_func=calls.seek
    )
    try:
        with reader as archive:
            yield from archive
    except library.ArchiveError as error:
        calls.raise_waiting()
        if "encrypt" in str(error):
            raise NotImplementedError("encrypted archives are not supported") from error
        raise EndOfArchiveError(f"damaged: {_said(error)}") from error
    calls.raise_waiting()


def _said(error: Exception) -> str:
    """Return an error without the numbers and addresses that follow it."""
    return str(error).partition(" (errno=")[0]


def sevenzip_members(stream: BinaryIO) -> Iterator[Found]:
    """Yield the members of a 7z archive; after an encrypted one the rest is so, too.

    Raises:
        NotImplementedError, EndOfArchiveError: as `_entries`.
    """
    needs_password = False
    for entry in _entries(stream, format_name="7zip", filter_name="none"):
        if entry.isdir:
            continue
        name, size_bytes = str(entry.pathname or ""), int(entry.size or 0)
        problem: str | None = None
        if entry.issym:
            problem = MemberProblem.LINK.because("symbolic")
        elif not entry.isfile:
            problem = MemberProblem.SPECIAL.because("a device or a pipe")
        elif needs_password:
            problem = MemberProblem.ENCRYPTED.because("it needs a password")
        if problem is not None:
            yield Found(name=name, size_bytes=size_bytes, problem=problem)
            continue
        blocks = _Blocks(_blocks_of(entry))
        yield Found(name=name, size_bytes=size_bytes, open=lambda: cast("BinaryIO", blocks))  # noqa: B023 - opened before the next
        needs_password = blocks.needs_password


def _blocks_of(entry: Any) -> Iterator[bytes]:
    """Yield a member's bytes. Raises ValueError: they cannot be unpacked."""
    try:
        yield from entry.get_blocks(PIECE_BYTES)
    except load().ArchiveError as error:
        raise ValueError(_said(error)) from error


def zstd_stream(stream: BinaryIO) -> BinaryIO:
    """Return the unpacked bytes of a Zstandard stream.

    Raises:
        NotImplementedError: libarchive is not installed.
    """
    load()

    def blocks() -> Iterator[bytes]:
        for entry in _entries(stream, format_name="raw", filter_name="zstd"):
            yield from _blocks_of(entry)

    return cast("BinaryIO", _Blocks(blocks()))


class _Blocks(io.RawIOBase):
    """Blocks of bytes as a stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = b""
        self.needs_password = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int = -1) -> bytes:
        """Return what one block still has, at most `size` bytes."""
        return self.read(size) or b""

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill some of a buffer; 0 at the end."""
        if not self._rest:
            try:
                self._rest = next(self._blocks, b"")
            except ValueError as error:
                self.needs_password = "encrypt" in str(error)
                raise
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
