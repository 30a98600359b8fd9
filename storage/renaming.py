"""Moving files on one file system, within a root or between two, atomically, never overwriting."""

import errno
import os
import stat

from models.domain.errors import BusyError, MissingError, StaleError
from storage.folders import Folders
from storage.keys import printable, split_key
from storage.listing import version_of
from storage.os_errors import translated
from storage.store import RenameUnsupportedError
from storage.syscalls import Syscalls

_UNRENAMABLE = frozenset({errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


class Renaming:
    """Renames to below a root; in a batch a few system calls each.

    Args:
        folders: of the root where files go.
        syscalls: the operating system.
        source: of the root that files come from; the same one unless given.
    """

    def __init__(
        self, folders: Folders, syscalls: Syscalls, *, source: Folders | None = None
    ) -> None:
        self._folders = folders
        self._syscalls = syscalls
        self._source = source or folders

    def rename(self, source_key: str, key: str, version: str) -> str:
        """Return the version of a file moved, now or by an earlier, interrupted call."""
        source_folder, source_name = split_key(source_key)
        folder, name = split_key(key)
        try:
            source_fd = self._source.hold(source_folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            return self._renamed_before(source_key, key, version, error)
        except OSError as error:
            raise translated(error, source_key) from error
        try:
            facts = regular(self._syscalls.stat(source_name, dir_fd=source_fd), source_key)
            if version_of(facts) != version:
                raise changed(source_key)
            fd = self._folders.hold_for(key)
            try:
                self._publish_name(source_name, name, facts, dir_fd=source_fd, new_dir_fd=fd)
                self._folders.changed(folder, fd)
                if folder != source_folder or self._source is not self._folders:
                    self._source.changed(source_folder, source_fd)
                return version_of(self._syscalls.stat(name, dir_fd=fd))
            finally:
                self._folders.drop(fd)
        except FileNotFoundError as error:
            return self._renamed_before(source_key, key, version, error)
        except OSError as error:
            raise translated(error, key) from error
        finally:
            self._source.drop(source_fd)

    def _publish_name(
        self, name: str, new_name: str, facts: os.stat_result, *, dir_fd: int, new_dir_fd: int
    ) -> None:
        """Rename between two open folders, never over anything."""
        try:
            self._syscalls.rename_new(name, new_name, dir_fd=dir_fd, new_dir_fd=new_dir_fd)
        except FileExistsError:
            there = self._syscalls.stat(new_name, dir_fd=new_dir_fd)
            is_itself = (there.st_dev, there.st_ino) == (facts.st_dev, facts.st_ino)
            if not is_itself or there.st_nlink != 1 or name == new_name:
                raise
            # One inode with one link: two spellings of one entry in a folder that folds names.
            self._syscalls.rename_case(name, new_name, dir_fd=dir_fd)
        except OSError as error:
            if error.errno not in _UNRENAMABLE:
                raise
            raise RenameUnsupportedError(
                f"{printable(name)!r} cannot be renamed there ({error.strerror}); "
                "copy, verify and delete instead"
            ) from error

    def _renamed_before(self, source_key: str, key: str, version: str, error: OSError) -> str:
        """Return the version of a file that an earlier, interrupted call renamed.

        A rename keeps inode and modification time.

        Raises:
            MissingError: it did not; the source is gone.
        """
        folder, name = split_key(key)
        try:
            fd = self._folders.hold(folder)
            try:
                facts = self._syscalls.stat(name, dir_fd=fd)
                if not version_of(facts).startswith(version.rpartition("-")[0] + "-"):
                    raise MissingError(f"{printable(source_key)!r} is not there") from error
                self._folders.changed(folder, fd)
            finally:
                self._folders.drop(fd)
            self._changed_if_there(split_key(source_key)[0])
        except OSError as missing:
            self._raise_if_there(source_key, folder)
            raise translated(error, source_key) from missing
        return version_of(facts)

    def _raise_if_there(self, source_key: str, folder: str) -> None:
        """Tell a source that is gone from a destination folder that somebody just removed.

        Raises:
            BusyError: the source is there.
        """
        above, name = split_key(source_key)
        try:
            fd = self._source.hold(above)
            try:
                self._syscalls.stat(name, dir_fd=fd)
            finally:
                self._source.drop(fd)
        except OSError:
            return
        self._folders.forget(folder)
        raise BusyError(f"the folder {printable(folder)!r} went away just now; try again")

    def _changed_if_there(self, folder: str) -> None:
        try:
            fd = self._source.hold(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self._source.changed(folder, fd)
        finally:
            self._source.drop(fd)


def regular(facts: os.stat_result, key: str) -> os.stat_result:
    """Return the facts when they are those of a regular file.

    Raises:
        MissingError: they are not.
    """
    if not stat.S_ISREG(facts.st_mode):
        raise MissingError(f"{printable(key)!r} is no regular file")
    return facts


def changed(key: str) -> StaleError:
    """Return the error for a file that is not the version planned."""
    return StaleError(f"{printable(key)!r} changed since it was planned; plan again")
