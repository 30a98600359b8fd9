"""Copies on local disk: staged, synced, verified, published without overwriting, owned by a mark.

In our own folder below the root a copy leaves two names until it is settled: the temporary file
`<mark>`, and the note `<mark>@<inode>`, an empty file made before the bytes. Publishing renames
the temporary file, which keeps its inode: after a crash a destination with the inode of the note
and the planned content is ours, and anything else is somebody else's. The note, not a second link,
is the ownership mark, because removing a link later would change the version that was journaled.
"""

import errno
import os
import stat
from dataclasses import dataclass

from models.domain.errors import (
    BusyError,
    CorruptError,
    ExistsError,
    ForbiddenError,
)
from models.domain.manifest import ManifestRow
from storage.copying import planned_blocks, planned_row
from storage.folders import Folders
from storage.hashing import hash_stream
from storage.keys import STAGING, check_mark, printable, split_key
from storage.listing import version_of
from storage.marks import Marks, beside
from storage.store import ExpectedContent, Store
from storage.syscalls import FileReader, Syscalls

_NO_RENAME = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
_NO_LINK = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_ATTEMPTS = 8
"""Tries to make a temporary file while others remove empty folders of ours (`tidy`)."""


class _OtherMountError(Exception):
    """The temporary file cannot be renamed there: a mount lies below the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """One copy to make."""

    source: Store
    source_key: str
    key: str
    mark: str
    expected: ExpectedContent
    modified_ns: int


@dataclass(slots=True, kw_only=True)
class _Staged:
    """The temporary file, open and locked, and the folders it goes between."""

    place: str
    place_fd: int
    fd: int
    default_mode: int


class Staging:
    """Makes copies below one root."""

    def __init__(self, folders: Folders, marks: Marks, syscalls: Syscalls) -> None:
        self._folders = folders
        self._marks = marks
        self._syscalls = syscalls

    def receive(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        mark: str,
        expected: ExpectedContent,
        modified_ns: int,
    ) -> str:
        """Copy, verify and publish; see `Store.receive`.

        Raises:
            OSError: what the disk says, partial bytes removed.
        """
        copy = _Copy(
            source=source,
            source_key=source_key,
            key=key,
            mark=check_mark(mark),
            expected=expected,
            modified_ns=modified_ns,
        )
        folder = split_key(key)[0]
        published = self._published(copy)
        if published is not None:
            return published
        row = planned_row(source, source_key, expected)
        folder_fd = self._folders.hold_for(key)
        try:
            place = self._place(folder, folder_fd)
            try:
                return self._receive_at(place, copy, row, folder_fd)
            except _OtherMountError:
                return self._receive_at(beside(folder), copy, row, folder_fd)
        finally:
            self._folders.drop(folder_fd)

    def _place(self, folder: str, folder_fd: int) -> str:
        """Return where to stage: below the root, unless the folder is on another device."""
        here = self._syscalls.fstat(self._folders.root()).st_dev
        is_same = self._syscalls.fstat(folder_fd).st_dev == here
        return STAGING if is_same else beside(folder)

    def _published(self, copy: _Copy) -> str | None:
        """Return the version of the destination when an earlier call published it, else None.

        Raises:
            ExistsError: it is somebody else's.
        """
        folder, name = split_key(copy.key)
        try:
            folder_fd = self._folders.hold(folder)
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise ExistsError(
                f"a file stands where {printable(copy.key)!r} needs a folder"
            ) from error
        try:
            facts = self._syscalls.stat(name, dir_fd=folder_fd)
            if not self._is_ours(copy, name, facts, folder_fd):
                raise ExistsError(f"{printable(copy.key)!r} is taken")
            if facts.st_nlink > 1:  # a crash between the link and the end of the other name
                self._marks.unlink_temporary({STAGING, beside(folder)}, copy.mark)
                facts = self._syscalls.stat(name, dir_fd=folder_fd)
            self._folders.changed(folder, folder_fd)
        except FileNotFoundError:
            return None
        finally:
            self._folders.drop(folder_fd)
        return version_of(facts)

    def _is_ours(self, copy: _Copy, name: str, facts: os.stat_result, folder_fd: int) -> bool:
        note = f"{copy.mark}@{facts.st_ino}"
        folder = split_key(copy.key)[0]
        is_noted = any(self._marks.has(place, note) for place in {STAGING, beside(folder)})
        if not (is_noted and stat.S_ISREG(facts.st_mode)):
            return False
        fd = self._syscalls.open_file(name, os.O_RDONLY, dir_fd=folder_fd)
        try:
            _, sha256, size_bytes = hash_stream(FileReader(self._syscalls, fd))
        finally:
            self._syscalls.close(fd)
        return (sha256, size_bytes) == (copy.expected.sha256, copy.expected.size_bytes)

    def _receive_at(self, place: str, copy: _Copy, row: ManifestRow, folder_fd: int) -> str:
        if place != STAGING:
            self._marks.point_to(place, copy.mark)
        staged = self._open_staged(place, copy.mark)
        try:
            self._fill(staged, copy, row)
            self._verify(staged, copy)
            self._syscalls.fsync_folder(staged.place_fd)
            self._publish(staged, copy, folder_fd)
            return version_of(self._syscalls.fstat(staged.fd))
        except Exception:
            self._marks.clear(place, copy.mark)
            if place != STAGING:
                self._marks.leave_mount(place, copy.mark)
            raise
        finally:
            self._syscalls.close(staged.fd)
            self._folders.drop(staged.place_fd)

    def _open_staged(self, place: str, mark: str) -> _Staged:
        """Return the empty, locked temporary file of a mark; its note is there too.

        Raises:
            BusyError: another worker is at this mark.
        """
        for _ in range(_ATTEMPTS):
            place_fd = self._folders.hold_made(place)
            try:
                fd = self._open_temporary(place_fd, mark)
                if fd is not None:
                    default_mode = self._note(fd, place_fd, mark)
                    return _Staged(place=place, place_fd=place_fd, fd=fd, default_mode=default_mode)
            except FileNotFoundError:
                self._folders.drop(place_fd)
                self._folders.forget(place)  # removed as empty in this very moment
                continue
            except BaseException:
                self._folders.drop(place_fd)
                raise
            self._folders.drop(place_fd)
        raise BusyError(f"no temporary file could be made for {mark!r}; try again")

    def _note(self, fd: int, place_fd: int, mark: str) -> int:
        """Make the note of a temporary file; return the permission bits new files get here."""
        try:
            return self._marks.make_file(f"{mark}@{self._syscalls.fstat(fd).st_ino}", place_fd)
        except BaseException:
            self._syscalls.close(fd)  # and with it the lock
            raise

    def _open_temporary(self, place_fd: int, mark: str) -> int | None:
        """Return the temporary file, empty and locked; None when it has to be tried again."""
        fd = self._syscalls.open_file(mark, os.O_RDWR | os.O_CREAT, dir_fd=place_fd)
        try:
            self._syscalls.lock(fd)
            facts = self._syscalls.fstat(fd)
            named = self._syscalls.stat(mark, dir_fd=place_fd)
            is_named = (facts.st_dev, facts.st_ino) == (named.st_dev, named.st_ino)
            if is_named and facts.st_nlink == 1 and stat.S_ISREG(facts.st_mode):
                self._syscalls.truncate(fd)
                return fd
            if is_named:  # published by a link whose file was edited since: leave its bytes alone
                self._marks.clear_at(place_fd, mark)
        except BlockingIOError as error:
            self._syscalls.close(fd)
            raise BusyError(f"another worker is copying {mark!r}") from error
        except BaseException:
            self._syscalls.close(fd)
            raise
        self._syscalls.close(fd)
        return None

    def _fill(self, staged: _Staged, copy: _Copy, row: ManifestRow) -> None:
        for block in planned_blocks(copy.source, row, copy.expected):
            self._marks.write(staged.fd, block)
        mode = copy.source.file_mode(copy.source_key)
        self._syscalls.set_facts(
            staged.fd,
            mode=staged.default_mode if mode is None else mode,
            modified_ns=copy.modified_ns if copy.source.has_exact_times else row.modified_ns,
        )
        self._syscalls.fsync(staged.fd)

    def _verify(self, staged: _Staged, copy: _Copy) -> None:
        self._syscalls.forget(staged.fd)
        _, sha256, size_bytes = hash_stream(FileReader(self._syscalls, staged.fd))
        if (sha256, size_bytes) != (copy.expected.sha256, copy.expected.size_bytes):
            raise CorruptError(
                f"the disk gave back other bytes than were written for {printable(copy.key)!r}; "
                "the copy was removed, the source is untouched: check the disk"
            )

    def _publish(self, staged: _Staged, copy: _Copy, folder_fd: int) -> None:
        folder, name = split_key(copy.key)
        fds = (staged.place_fd, folder_fd)
        try:
            self._syscalls.rename_new(copy.mark, name, dir_fd=fds[0], new_dir_fd=fds[1])
        except FileExistsError as error:
            raise ExistsError(f"{printable(copy.key)!r} is taken") from error
        except FileNotFoundError as error:
            raise BusyError(
                f"the folder of {printable(copy.key)!r} went away; try again"
            ) from error
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise _OtherMountError from error
            if error.errno not in _NO_RENAME:
                raise
            self._publish_by_link(staged, copy, folder_fd)
        self._folders.changed(folder, folder_fd)

    def _publish_by_link(self, staged: _Staged, copy: _Copy, folder_fd: int) -> None:
        """Publish where no exclusive rename is known (NFS): a link never overwrites either."""
        name = split_key(copy.key)[1]
        try:
            self._syscalls.link(copy.mark, name, dir_fd=staged.place_fd, new_dir_fd=folder_fd)
        except FileExistsError as error:
            raise ExistsError(f"{printable(copy.key)!r} is taken") from error
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise _OtherMountError from error
            if error.errno not in _NO_LINK:
                raise
            raise ForbiddenError(
                f"the disk of {printable(copy.key)!r} can neither rename exclusively nor link, so "
                "a file could be overwritten unseen; choose a destination on another disk"
            ) from error
        self._syscalls.fsync_folder(folder_fd)
        self._syscalls.unlink(copy.mark, dir_fd=staged.place_fd)
        self._folders.changed(staged.place, staged.place_fd)
