"""Every system call the local store makes, in one object.

Tests put another in its place: to crash before and after each call, or to model a disk that forgets
what was not synced.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Generator
from typing import BinaryIO

_RENAME_NOREPLACE = 1  # linux/fs.h
_SYS_OPENAT2 = 437  # the same number on every Linux architecture but alpha
_RESOLVE_NO_SYMLINKS = 0x04  # linux/openat2.h
_RESOLVE_BENEATH = 0x08  # the same
_OPENAT2_ATTEMPTS = 16  # EAGAIN: a rename raced with the resolution (openat2(2))
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSYNCABLE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})

_LIBC = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def _fail(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), name)


def _openat2(dir_fd: int, path: str, flags: int) -> int:
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    for _ in range(_OPENAT2_ATTEMPTS):
        fd = _LIBC.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(dir_fd),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return int(fd)
        if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
            break
    raise _fail(path)


def _open_part(name: str, dir_fd: int) -> int:
    """Return a descriptor of a folder that is no link.

    Raises:
        OSError: ELOOP for a link, where open(2) itself says ENOTDIR.
    """
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=dir_fd)
    except NotADirectoryError as error:
        if stat.S_ISLNK(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error
        raise


def _load_renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """Return glibc's renameat2 (2.28 and newer), None elsewhere."""
    function = getattr(_LIBC, "renameat2", None)
    if function is not None:
        function.argtypes = (
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_uint,
        )
        function.restype = ctypes.c_int
    return function


_RENAMEAT2 = _load_renameat2()


class Syscalls:
    """The operating system; names are single components relative to a folder's descriptor."""

    def open_root(self, path: str) -> int:
        """Return a descriptor of the root folder; its own path may have links in it."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_folder(self, root_fd: int, key: str) -> int:
        """Return a descriptor of a folder below the root, through no link whatsoever.

        `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)` where the kernel has it (5.6), else
        component by component with `O_NOFOLLOW`.
        """
        if not key:
            return os.dup(root_fd)
        try:
            return _openat2(root_fd, key, _FOLDER_FLAGS & ~os.O_NOFOLLOW)  # ELOOP, not ENOTDIR
        except OSError as error:
            if error.errno not in {errno.ENOSYS, errno.EPERM}:
                raise
        return self.walk_to(root_fd, key)

    def walk_to(self, root_fd: int, key: str) -> int:
        """Return a descriptor of a folder, opened component by component with `O_NOFOLLOW`."""
        fd = os.dup(root_fd)
        for part in key.split("/"):
            try:
                below = _open_part(part, fd)
            finally:
                os.close(fd)
            fd = below
        return fd

    def open_file(self, name: str, flags: int, *, dir_fd: int, mode: int = 0o600) -> int:
        """Return a descriptor of a file; follows no link and waits on no pipe."""
        always = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(name, flags | always, mode, dir_fd=dir_fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def stat(self, name: str, *, dir_fd: int) -> os.stat_result:
        """Return the facts of a name itself, not of what it points to."""
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)

    def fstat(self, fd: int) -> os.stat_result:
        """Return the facts of an open file."""
        return os.fstat(fd)

    def filesystem_id(self, fd: int) -> int:
        """Return the identity of the file system of an open file (`f_fsid`)."""
        return os.fstatvfs(fd).f_fsid

    def entries(self, fd: int) -> Generator[tuple[str, bool]]:
        """Yield each name of an open folder and whether it is a folder itself, in any order."""
        with os.scandir(fd) as found:
            for entry in found:
                yield entry.name, entry.is_dir(follow_symlinks=False)

    def stream(self, fd: int) -> BinaryIO:
        """Return a buffered reader that owns the descriptor."""
        return os.fdopen(fd, "rb", buffering=1 << 17)

    def readinto(self, fd: int, buffer: memoryview, offset: int) -> int:
        """Fill the buffer from a position; return the count of bytes, 0 at the end."""
        return os.preadv(fd, [buffer], offset)

    def write(self, fd: int, data: memoryview) -> int:
        """Write from the current position; return the count of bytes taken."""
        return os.write(fd, data)

    def truncate(self, fd: int) -> None:
        """Empty an open file."""
        os.ftruncate(fd, 0)

    def lock(self, fd: int) -> None:
        """Take the exclusive lock of an open file or raise `BlockingIOError`; ends with us."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def forget(self, fd: int) -> None:
        """Drop a synced file from the page cache, so that the next read is one of the disk."""
        with contextlib.suppress(OSError, AttributeError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def set_facts(self, fd: int, *, mode: int | None, modified_ns: int) -> None:
        """Set permission bits and times of an open file or folder."""
        if mode is not None:
            os.fchmod(fd, mode)
        os.utime(fd, ns=(modified_ns, modified_ns))

    def fsync(self, fd: int) -> None:
        """Make a file's bytes and facts durable."""
        os.fsync(fd)

    def fsync_folder(self, fd: int) -> None:
        """Make a folder's entries durable, where the file system can."""
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _UNSYNCABLE:
                raise

    def rename_new(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        """Rename without overwriting: `renameat2(RENAME_NOREPLACE)`.

        Raises:
            OSError: EEXIST when the new name is taken; ENOSYS or EINVAL where it is unknown.
        """
        if _RENAMEAT2 is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), new_name)
        if _RENAMEAT2(dir_fd, name.encode(), new_dir_fd, new_name.encode(), _RENAME_NOREPLACE):
            raise _fail(new_name)

    def rename_case(self, name: str, new_name: str, *, dir_fd: int) -> None:
        """Rename within one folder to another spelling of the same name."""
        os.rename(name, new_name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)

    def link(self, name: str, new_name: str, *, dir_fd: int, new_dir_fd: int) -> None:
        """Give a file a second name; EEXIST when that is taken."""
        os.link(name, new_name, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd, follow_symlinks=False)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=dir_fd)

    def mkdir(self, name: str, *, dir_fd: int) -> None:
        """Make a folder, with the mode the umask leaves."""
        os.mkdir(name, dir_fd=dir_fd)

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        """Remove an empty folder."""
        os.rmdir(name, dir_fd=dir_fd)


class FileReader:
    """Reads an open file by position, for hashing without a buffer between."""

    def __init__(self, syscalls: Syscalls, fd: int) -> None:
        self._syscalls = syscalls
        self._fd = fd
        self._offset = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer; 0 at the end."""
        count = self._syscalls.readinto(self._fd, buffer, self._offset)
        self._offset += count
        return count
