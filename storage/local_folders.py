"""Folders as such on local disk: what they have besides files, made and removed."""

import errno
import stat

from storage.folders import Folders
from storage.keys import split_key
from storage.os_errors import translated
from storage.store import FolderFacts
from storage.syscalls import Syscalls

_NOT_EMPTY = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.ENOTDIR, errno.EEXIST})


class FolderCare:
    """Looks after the folders below one root."""

    def __init__(self, folders: Folders, syscalls: Syscalls) -> None:
        self._folders = folders
        self._syscalls = syscalls

    def facts(self, key: str) -> FolderFacts | None:
        """Return mode and time of a folder, None when it is not there."""
        try:
            fd = self._folders.hold(key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise translated(error, key) from error
        try:
            facts = self._syscalls.fstat(fd)
        finally:
            self._folders.drop(fd)
        return FolderFacts(mode=stat.S_IMODE(facts.st_mode), modified_ns=facts.st_mtime_ns)

    def restore(self, key: str, facts: FolderFacts) -> None:
        """Make a folder if it is missing, then set its mode and time."""
        try:
            fd = self._folders.hold_made(key)
            try:
                self._syscalls.set_facts(fd, mode=facts.mode, modified_ns=facts.modified_ns)
                self._folders.changed(key, fd)
            finally:
                self._folders.drop(fd)
        except OSError as error:
            raise translated(error, key) from error

    def prune(self, key: str) -> bool:
        """Remove a folder if it is empty; return whether it was."""
        folder, name = split_key(key)
        try:
            fd = self._folders.hold(folder)
            try:
                self._syscalls.rmdir(name, dir_fd=fd)
                self._folders.forget(key)
                self._folders.changed(folder, fd)
            finally:
                self._folders.drop(fd)
        except OSError as error:
            if error.errno in _NOT_EMPTY:
                return False
            raise translated(error, key) from error
        return True
