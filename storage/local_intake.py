"""Bytes from outside on local disk: a temporary file of ours, renamed when it is whole."""

import errno
import os

from models.domain.errors import BusyError, ExistsError
from storage.folders import Folders
from storage.intake import Intake
from storage.keys import STAGING, printable, split_key
from storage.listing import version_of
from storage.marks import Marks
from storage.os_errors import translated
from storage.syscalls import Syscalls

_NO_RENAME = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
_ATTEMPTS = 8
"""Tries to make a temporary file while others remove empty folders of ours (`tidy`)."""


class LocalIntake(Intake):
    """One file below one root; the temporary file is named by its mark."""

    def __init__(
        self, key: str, *, mark: str, folders: Folders, marks: Marks, syscalls: Syscalls
    ) -> None:
        super().__init__()
        self._key = key
        self._mark = mark
        self._folders = folders
        self._marks = marks
        self._syscalls = syscalls
        try:
            self._place_fd, self._fd = self._opened()
        except OSError as error:
            raise translated(error, key) from error

    def _opened(self) -> tuple[int, int]:
        """Return descriptors of our folder and of the new temporary file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        for _ in range(_ATTEMPTS):
            place_fd = self._folders.hold_made(STAGING)
            try:
                return place_fd, self._syscalls.open_file(self._mark, flags, dir_fd=place_fd)
            except FileNotFoundError:
                self._folders.drop(place_fd)
                self._folders.forget(STAGING)  # removed as empty in this very moment
            except BaseException:
                self._folders.drop(place_fd)
                raise
        raise BusyError(f"no temporary file could be made for {self._mark!r}; try again")

    def _put(self, block: memoryview) -> None:
        try:
            self._marks.write(self._fd, block)
        except OSError as error:
            raise translated(error, self._key) from error

    def _finish(self) -> tuple[str, int]:
        folder, name = split_key(self._key)
        try:
            self._syscalls.fsync(self._fd)
            folder_fd = self._folders.hold_for(self._key)
            try:
                self._rename(name, folder_fd)
                self._folders.changed(folder, folder_fd)
            finally:
                self._folders.drop(folder_fd)
            facts = self._syscalls.fstat(self._fd)
        except FileExistsError as error:
            raise ExistsError(f"{printable(self._key)!r} is taken") from error
        except OSError as error:
            raise translated(error, self._key) from error
        self._close()
        return version_of(facts), facts.st_mtime_ns

    def _rename(self, name: str, folder_fd: int) -> None:
        try:
            self._syscalls.rename_new(self._mark, name, dir_fd=self._place_fd, new_dir_fd=folder_fd)
        except OSError as error:
            if error.errno not in _NO_RENAME:
                raise
            # No exclusive rename is known here (NFS): a link never overwrites either.
            self._syscalls.link(self._mark, name, dir_fd=self._place_fd, new_dir_fd=folder_fd)
            self._syscalls.unlink(self._mark, dir_fd=self._place_fd)

    def _remove(self) -> None:
        try:
            self._syscalls.unlink(self._mark, dir_fd=self._place_fd)
        except FileNotFoundError:
            pass  # somebody abandoned it
        except OSError as error:
            raise translated(error, self._key) from error
        finally:
            self._close()

    def _close(self) -> None:
        self._syscalls.close(self._fd)
        self._folders.drop(self._place_fd)
