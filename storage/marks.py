"""The names a mark has in our own folder while a copy is under way, and their end."""

import errno
import os
import stat
from collections.abc import Iterator

from storage.folders import Folders
from storage.keys import STAGING, TRASH, check_mark, split_key
from storage.syscalls import Syscalls


def beside(folder: str) -> str:
    """Return where copies into a folder of another mount are staged."""
    return f"{folder}/{STAGING}" if folder else STAGING


class Marks:
    """Temporary files, notes and pointers below one root, by mark."""

    def __init__(self, folders: Folders, syscalls: Syscalls) -> None:
        self._folders = folders
        self._syscalls = syscalls

    def has(self, place: str, name: str) -> bool:
        """Return whether one of our folders has a name."""
        try:
            place_fd = self._folders.hold(place)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            self._syscalls.stat(name, dir_fd=place_fd)
        except FileNotFoundError:
            return False
        finally:
            self._folders.drop(place_fd)
        return True

    def unlink_temporary(self, places: set[str], mark: str) -> None:
        """Remove the temporary name of a file that has its published name already."""
        for place in sorted(places):
            if self.has(place, mark):
                place_fd = self._folders.hold(place)
                try:
                    self._syscalls.unlink(mark, dir_fd=place_fd)
                    self._folders.changed(place, place_fd)
                finally:
                    self._folders.drop(place_fd)

    def make_file(self, name: str, place_fd: int, data: bytes = b"") -> int:
        """Make a small file; return the permission bits new files get here."""
        fd = self._syscalls.open_file(name, os.O_RDWR | os.O_CREAT, dir_fd=place_fd, mode=0o666)
        try:
            if data:
                self.write(fd, memoryview(data))
                self._syscalls.fsync(fd)
            return stat.S_IMODE(self._syscalls.fstat(fd).st_mode)
        finally:
            self._syscalls.close(fd)

    def write(self, fd: int, block: memoryview) -> None:
        """Write a whole block."""
        while block:
            block = block[self._syscalls.write(fd, block) :]

    # The end of a mark

    def settle(self, mark: str, key: str) -> None:
        """Drop the ownership mark of a published file."""
        check_mark(mark)
        folder, name = split_key(key)
        if self._unlink_note(STAGING, mark, folder, name):
            return
        self.clear(STAGING, mark, has_pointer=True)
        if folder:
            self.leave_mount(beside(folder), mark)

    def _unlink_note(self, place: str, mark: str, folder: str, name: str) -> bool:
        """Remove the one note there usually is, found by the inode of the destination."""
        try:
            folder_fd = self._folders.hold(folder)
            try:
                inode = self._syscalls.stat(name, dir_fd=folder_fd).st_ino
            finally:
                self._folders.drop(folder_fd)
            place_fd = self._folders.hold(place)
            try:
                self._syscalls.unlink(f"{mark}@{inode}", dir_fd=place_fd)
                self._folders.changed(place, place_fd)
            finally:
                self._folders.drop(place_fd)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def abandon(self, mark: str) -> None:
        """Remove the temporary file and the notes of a mark, wherever they were put."""
        check_mark(mark)
        place = self._pointed_to(mark)
        if place is not None:
            self.leave_mount(place, mark)
        self.clear(STAGING, mark, has_pointer=True)

    def clear(self, place: str, mark: str, *, has_pointer: bool = False) -> None:
        """Remove a mark's names in one place; the pointer to another place only if asked to."""
        try:
            place_fd = self._folders.hold(place)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            if self.clear_at(place_fd, mark, has_pointer=has_pointer):
                self._folders.changed(place, place_fd)
        finally:
            self._folders.drop(place_fd)

    def clear_at(self, place_fd: int, mark: str, *, has_pointer: bool = False) -> bool:
        """Remove a mark's names; the notes first, for alone they could claim a stranger's file."""
        start = f"{mark}@"
        names = [name for name, _ in self._syscalls.entries(place_fd) if name.startswith(start)]
        if not has_pointer:
            names = [name for name in names if name != f"{mark}@at"]
        for name in [*sorted(names), mark]:
            try:
                self._syscalls.unlink(name, dir_fd=place_fd)
            except FileNotFoundError:
                continue
        return True

    # Mounts below the root

    def point_to(self, place: str, mark: str) -> None:
        """Write down that a mark is staged in another mount, so that `abandon` finds it."""
        place_fd = self._folders.hold_made(STAGING)
        try:
            self.make_file(f"{mark}@at", place_fd, place.encode())
            self._syscalls.fsync_folder(place_fd)
        finally:
            self._folders.drop(place_fd)

    def _pointed_to(self, mark: str) -> str | None:
        try:
            place_fd = self._folders.hold(STAGING)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fd = self._syscalls.open_file(f"{mark}@at", os.O_RDONLY, dir_fd=place_fd)
        except FileNotFoundError:
            return None
        finally:
            self._folders.drop(place_fd)
        with self._syscalls.stream(fd) as stream:
            return stream.read().decode() or None

    def leave_mount(self, place: str, mark: str) -> None:
        """Remove a mark's names in another mount, its pointer, and our folder there if empty."""
        self.clear(place, mark)
        self._remove_if_empty(place)
        self._remove_if_empty(split_key(place)[0])
        self.clear(STAGING, mark, has_pointer=True)

    def _remove_if_empty(self, folder: str) -> None:
        above, name = split_key(folder)
        try:
            above_fd = self._folders.hold(above)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self._syscalls.rmdir(name, dir_fd=above_fd)
            self._folders.forget(folder)
            self._folders.changed(above, above_fd)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
        finally:
            self._folders.drop(above_fd)

    def tidy(self) -> None:
        """Remove our folders where they are empty, the deepest first."""
        folders = [*self._folders_below(TRASH), STAGING]
        for folder in sorted(folders, reverse=True):
            self._remove_if_empty(folder)
        self._remove_if_empty(split_key(STAGING)[0])

    def _folders_below(self, folder: str) -> Iterator[str]:
        pending = [folder]
        while pending:
            key = pending.pop()
            try:
                fd = self._folders.hold(key)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                pending += [
                    f"{key}/{name}" for name, is_dir in self._syscalls.entries(fd) if is_dir
                ]
            finally:
                self._folders.drop(fd)
            yield key
