"""Listing of a local folder tree by descriptor, sorted by key, without following a link."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from models.domain.manifest import ListingProblem, ManifestRow
from models.domain.organizing import RESERVED_PREFIX
from storage.keys import MAX_KEY_BYTES, printable
from storage.syscalls import Syscalls

STRETCH_FILES = 1000
"""Files told of at once: a first page does not wait for the whole of a large folder."""

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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some files of one folder, in order of key, and what was passed over between them.

    Attributes:
        keys: (n,) of regular files.
        facts: (n,) of the same files.
        problems: what can be no row.
    """

    keys: list[str] = field(default_factory=list[str])
    facts: list[os.stat_result] = field(default_factory=list[os.stat_result])
    problems: list[ListingProblem] = field(default_factory=list[ListingProblem])

    def rows(self) -> Iterator[ManifestRow]:
        """Yield the (n,) files."""
        return map(row_of, self.keys, self.facts)


class Walk:
    """One walk of a tree; remembers the folders it met, so that a bind mount counts once.

    One descriptor is open at a time, and what is kept are the names of the folders on the way:
    depth costs neither descriptors nor the interpreter's stack.
    """

    def __init__(self, syscalls: Syscalls, root_fd: int) -> None:
        self._syscalls = syscalls
        self._root_fd = root_fd
        self._seen: dict[tuple[int, int], str] = {}

    def below(self, folder: str) -> Iterator[Stretch]:
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
                problem = ListingProblem(key=f"{printable(child)}/", reason=str(error))
                yield Stretch(problems=[problem])
            except OSError as error:
                yield Stretch(problems=[_unreadable(child, error)])

    def _names(self, folder: str) -> Iterator[str]:
        """Return the sorted names in a folder; those of folders end in `/`."""
        fd = self._syscalls.open_folder(self._root_fd, folder)
        try:
            facts = self._syscalls.fstat(fd)
            first = self._seen.setdefault((facts.st_dev, facts.st_ino), folder)
            if first != folder:
                where = repr(printable(first)) if first else "the root"
                raise _MetTwiceError(f"the same folder as {where}: listed once")
            names = [
                f"{name}/" if is_folder else name
                for name, is_folder in self._syscalls.entries(fd)
                if name != RESERVED_PREFIX
            ]
            names.sort()
            return iter(names)
        finally:
            self._syscalls.close(fd)

    def _files_until_folder(self, folder: str, names: Iterator[str]) -> Iterator[Stretch | str]:
        """Yield what is no folder, then the key of the next folder if there is one."""
        try:
            fd = self._syscalls.open_folder(self._root_fd, folder)
        except OSError as error:
            yield Stretch(problems=[_unreadable(folder, error)])
            return
        try:
            below = f"{folder}/" if folder else ""
            is_more = True
            while is_more:
                stretch, child = self._stretch(fd, below, names)
                if stretch.keys or stretch.problems:
                    yield stretch
                if child is not None:
                    yield child
                is_more = child is None and len(stretch.keys) >= STRETCH_FILES
        finally:
            self._syscalls.close(fd)

    def _stretch(self, fd: int, below: str, names: Iterator[str]) -> tuple[Stretch, str | None]:
        """Return files of one folder up to `STRETCH_FILES` or its next folder, and that one."""
        stretch = Stretch()
        keys, facts, read = stretch.keys, stretch.facts, self._syscalls.stat
        for name in names:
            key = below + name
            if not key.isascii() or len(key) >= MAX_KEY_BYTES:
                reason = _unusable(key.removesuffix("/"))
                if reason is not None:
                    stretch.problems.append(ListingProblem(key=printable(key), reason=reason))
                    continue
            if name[-1] == "/":
                return stretch, key[:-1]
            try:
                found = read(name, dir_fd=fd)
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = error.strerror or "unreadable"
                stretch.problems.append(ListingProblem(key=printable(key), reason=reason))
                continue
            if not stat.S_ISREG(found.st_mode):
                what = _WHAT.get(stat.S_IFMT(found.st_mode), "no regular file")
                stretch.problems.append(ListingProblem(key=printable(key), reason=what))
                continue
            keys.append(key)
            facts.append(found)
            if len(keys) >= STRETCH_FILES:
                break
        return stretch, None


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
