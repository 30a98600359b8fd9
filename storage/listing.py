"""Listing of a local folder tree by descriptor, sorted by key, without following a link."""

import os
import stat
from collections.abc import Iterator

from models.domain.manifest import ListingProblem, ManifestRow
from storage.keys import MAX_KEY_BYTES, is_reserved, printable
from storage.syscalls import Syscalls

_WHAT = {
    stat.S_IFLNK: "symbolic link: never followed",
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "named pipe",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}


def version_of(facts: os.stat_result) -> str:
    """Return what the disk knows a version by: `inode-mtime_ns-ctime_ns`."""
    return f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"


def row_of(key: str, facts: os.stat_result) -> ManifestRow:
    """Return the manifest row of a regular file."""
    return ManifestRow(
        key=key,
        size_bytes=facts.st_size,
        modified_ns=facts.st_mtime_ns,
        version=version_of(facts),
        device=facts.st_dev,
        inode=facts.st_ino,
        link_count=facts.st_nlink,
    )


class Walk:
    """One walk of a tree; remembers the folders it met, so that a bind mount counts once.

    One descriptor is open at a time, and what is kept are the names of the folders on the way:
    depth costs neither descriptors nor the interpreter's stack.
    """

    def __init__(self, syscalls: Syscalls, root_fd: int) -> None:
        self._syscalls = syscalls
        self._root_fd = root_fd
        self._seen: dict[tuple[int, int], str] = {}

    def below(self, folder: str) -> Iterator[ManifestRow | ListingProblem]:
        """Yield every file below a folder in order of key, and what is none.

        Names sort with folders as `name/`, which gives the order of whole keys.

        Raises:
            OSError: the folder itself cannot be read.
        """
        stack = [(folder, self._names(folder))]
        while stack:
            key, names = stack[-1]
            child: str | None = None
            for found in self._files_until_folder(key, names):
                if isinstance(found, str):
                    child = found
                else:
                    yield found
            if child is None:
                stack.pop()
                continue
            try:
                stack.append((child, self._names(child)))
            except FileNotFoundError:
                continue  # it went while we looked
            except _MetTwiceError as error:
                yield ListingProblem(key=f"{printable(child)}/", reason=str(error))
            except OSError as error:
                yield _unreadable(child, error)

    def _names(self, folder: str) -> Iterator[str]:
        """Return the sorted names in a folder; those of folders end in `/`."""
        fd = self._syscalls.open_folder(self._root_fd, folder)
        try:
            facts = self._syscalls.fstat(fd)
            first = self._seen.setdefault((facts.st_dev, facts.st_ino), folder)
            if first != folder:
                where = repr(printable(first)) if first else "the root"
                raise _MetTwiceError(f"the same folder as {where}: listed once")
            return iter(
                sorted(
                    f"{name}/" if is_folder else name
                    for name, is_folder in self._syscalls.entries(fd)
                    if not is_reserved(name)
                )
            )
        finally:
            self._syscalls.close(fd)

    def _files_until_folder(
        self, folder: str, names: Iterator[str]
    ) -> Iterator[ManifestRow | ListingProblem | str]:
        """Yield what is no folder, then the key of the next folder if there is one."""
        try:
            fd = self._syscalls.open_folder(self._root_fd, folder)
        except OSError as error:
            yield _unreadable(folder, error)
            return
        try:
            below = f"{folder}/" if folder else ""
            for name in names:
                key = below + name.removesuffix("/")
                reason = _unusable(key)
                if reason is not None:
                    yield ListingProblem(key=printable(below + name), reason=reason)
                elif name.endswith("/"):
                    yield key
                    return
                else:
                    yield from self._file(fd, name, key)
        finally:
            self._syscalls.close(fd)

    def _file(self, fd: int, name: str, key: str) -> Iterator[ManifestRow | ListingProblem]:
        try:
            facts = self._syscalls.stat(name, dir_fd=fd)
        except FileNotFoundError:
            return
        except OSError as error:
            yield ListingProblem(key=printable(key), reason=error.strerror or "unreadable")
            return
        if stat.S_ISREG(facts.st_mode):
            yield row_of(key, facts)
        else:
            what = _WHAT.get(stat.S_IFMT(facts.st_mode), "no regular file")
            yield ListingProblem(key=printable(key), reason=what)


class _MetTwiceError(Exception):
    """A folder has two paths: a loop or a bind mount."""


def _unusable(key: str) -> str | None:
    """Return why a key cannot be a row's, None when it can."""
    if key.isascii():
        return None if len(key) <= MAX_KEY_BYTES else "its path is too long"
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    return None if length <= MAX_KEY_BYTES else "its path is too long"


def _unreadable(folder: str, error: OSError) -> ListingProblem:
    return ListingProblem(
        key=f"{printable(folder)}/", reason=f"the folder cannot be read: {error.strerror}"
    )
