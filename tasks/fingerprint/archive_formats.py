"""Inside a child: the members of each format, in the order in which they stream best."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from models.domain.archives import MemberProblem
from tasks.fingerprint import archive_libarchive
from tasks.fingerprint.archive_members import MAX_MEMBERS, PIECE_BYTES, EndOfArchiveError, Found
from tasks.fingerprint.sources import TooMuchError

LABELS = frozenset({"zip", "tar", "gzip", "bzip", "xz", "zst", "sevenzip"})
"""Content labels that are archives here; documents and programs that are zip files are none."""

_END_BYTES = 65_557
"""A zip's end record and the longest comment after it (APPNOTE.TXT 4.3.16)."""
_DIRECTORY_BYTES = 128 * 1024 * 1024
"""Of a zip's central directory, which is read whole: 640 bytes for each of the most members."""
_LOCAL_HEADER_BYTES = 30
"""Of a zip's local header without its names (APPNOTE.TXT 4.3.7)."""
_TAR_BLOCK_BYTES = 512
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError, ValueError)
"""What a stream in the middle of a tar raises when it is cut short or damaged."""

_DECOMPRESSORS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "gzip": lambda stream: cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="rb")),
    "bzip": lambda stream: cast("BinaryIO", bz2.BZ2File(stream)),
    "xz": lambda stream: cast("BinaryIO", lzma.LZMAFile(stream)),  # noqa: SIM115 - its reader closes it
    "zst": archive_libarchive.zstd_stream,
}


def members(label: str, stream: BinaryIO, size_bytes: int) -> Iterator[Found]:
    """Yield the members of an archive; each must be read, or passed over, before the next.

    Args:
        label: content label, one of `LABELS`.
        stream: the archive, seekable, at its start.
        size_bytes: of the archive.

    Raises:
        TooMuchError: it is larger than it may be.
        EndOfArchiveError: its stream breaks.
        NotImplementedError: nothing here reads this format.
        Exception: what the format's reader raises at a damaged archive.
    """
    if label == "zip":
        return _zip_members(stream, size_bytes)
    if label == "sevenzip":
        return archive_libarchive.sevenzip_members(stream)
    if label == "tar":
        return _tar_members(stream)
    return _compressed_members(_DECOMPRESSORS[label](stream))


# zip


def _check_directory(stream: BinaryIO, size_bytes: int) -> None:
    """Refuse a central directory that is too large to be read, before it is.

    Raises:
        TooMuchError: it is.
    """
    start = max(size_bytes - _END_BYTES, 0)
    stream.seek(start)
    end = stream.read(_END_BYTES)
    at = end.rfind(b"PK\x05\x06")
    if at >= 0:
        count = int.from_bytes(end[at + 10 : at + 12], "little")
        length = int.from_bytes(end[at + 12 : at + 16], "little")
        large = end.rfind(b"PK\x06\x06", 0, at)  # of zip64, where it stands right before
        if large >= 0:
            count = int.from_bytes(end[large + 32 : large + 40], "little")
            length = int.from_bytes(end[large + 40 : large + 48], "little")
        if count > MAX_MEMBERS or _DIRECTORY_BYTES < length <= size_bytes:
            raise TooMuchError(f"it has more than {MAX_MEMBERS:,} members")
    stream.seek(0)


def _zip_members(stream: BinaryIO, size_bytes: int) -> Iterator[Found]:
    _check_directory(stream, size_bytes)
    with zipfile.ZipFile(stream) as package:
        infos = sorted(package.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [package.start_dir]
        reached = -1
        for info, following in zip(infos, ends, strict=True):
            name = info.orig_filename
            shortest = _LOCAL_HEADER_BYTES + len(name) + info.compress_size
            is_overlapping = info.header_offset <= reached or (
                info.header_offset + shortest > following
            )
            reached = max(reached, info.header_offset)
            if name.endswith("/"):
                continue
            yield _zip_member(package, info, is_overlapping=is_overlapping)


def _zip_member(package: zipfile.ZipFile, info: zipfile.ZipInfo, *, is_overlapping: bool) -> Found:
    name, size_bytes = info.orig_filename, info.file_size
    problem: str | None = None
    if stat.S_ISLNK(info.external_attr >> 16):
        problem = MemberProblem.LINK.because("symbolic")
    elif info.flag_bits & 1:
        problem = MemberProblem.ENCRYPTED.because("it needs a password")
    elif is_overlapping:
        problem = MemberProblem.OVERLAPPING.because("its bytes are another member's, too")
    if problem is not None:
        return Found(name=name, size_bytes=size_bytes, problem=problem)
    return Found(
        name=name, size_bytes=size_bytes, open=lambda: cast("BinaryIO", package.open(info))
    )


# tar


class _Info(tarfile.TarInfo):
    """Remembers, in its archive, how the headers ended: `tarfile` is silent about a cut."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Any:
        try:
            return super().fromtarfile(tarfile)
        except Exception as error:
            tarfile.ended_by = error
            raise


class _Tar(tarfile.TarFile):
    tarinfo = _Info
    ended_by: Exception | None = None


class _Eager(io.RawIOBase):
    """An unpacked stream that gives what there is: what came before damage is not lost with it."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._head = b""

    def head(self, count: int) -> bytes:
        """Return the first bytes, which are read again afterwards."""
        while len(self._head) < count and (piece := self._stream.read1(count)):
            self._head += piece
        return self._head

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, b"" at the end."""
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._stream.read1(size)


def _compressed_members(stream: BinaryIO) -> Iterator[Found]:
    """Yield the members of a compressed tar, or the one file that is no tar."""
    with stream:
        eager = _Eager(stream)
        try:
            is_tar = _is_tar(eager.head(_TAR_BLOCK_BYTES)[:_TAR_BLOCK_BYTES])
        except _BROKEN as error:
            raise _end(error) from error
        if is_tar:
            yield from _tar_members(cast("BinaryIO", eager))
        else:
            yield Found(name="", size_bytes=0, open=lambda: cast("BinaryIO", eager))


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _end(error: Exception) -> Exception:
    """Return what a broken stream means; what is too much stays that."""
    return error if isinstance(error, TooMuchError) else EndOfArchiveError(f"damaged: {error}")


def _tar_members(stream: BinaryIO) -> Iterator[Found]:
    try:
        archive: Any = _Tar.open(fileobj=stream, mode="r|", bufsize=PIECE_BYTES, errorlevel=2)
    except _BROKEN as error:
        raise _end(error) from error
    with archive:
        while archive.firstmember is not None or archive.ended_by is None:
            try:
                info = archive.next()
            except _BROKEN as error:
                raise _end(error) from error
            if info is None:
                break
            archive.members.clear()  # a list of all of them would only grow
            if not info.isdir():
                yield _tar_member(archive, info)
        if type(archive.ended_by).__name__ != "EOFHeaderError":  # no public name
            raise EndOfArchiveError("cut short: it has no end mark")


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Found:
    if info.issym():
        problem = MemberProblem.LINK.because("symbolic")
        return Found(name=info.name, size_bytes=0, problem=problem)
    if info.islnk():
        return Found(name=info.name, size_bytes=0, same_as=info.linkname)
    if not info.isfile():
        problem = MemberProblem.SPECIAL.because("a device or a pipe")
        return Found(name=info.name, size_bytes=0, problem=problem)

    def opened() -> BinaryIO:
        return cast("BinaryIO", _TarStream(archive, info))

    return Found(name=info.name, size_bytes=info.size, open=opened)


class _TarStream(io.RawIOBase):
    """One member's bytes; where its stream breaks, all that follow are gone with it."""

    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        super().__init__()
        self._left = info.size
        self._stream = archive.extractfile(info)

    def read(self, size: int = -1) -> bytes:
        """Return some bytes. Raises EndOfArchiveError."""
        if self._stream is None or not self._left:
            return b""
        try:
            piece = self._stream.read(min(size, self._left) if size >= 0 else self._left)
        except _BROKEN as error:
            raise _end(error) from error
        if not piece:
            raise EndOfArchiveError("cut short: a member has less than it claims")
        self._left -= len(piece)
        return piece
