"""How a local disk compares names, found out without writing."""

import contextlib
import itertools
import sys
from functools import cached_property

from storage.folders import Folders
from storage.syscalls import Syscalls

_SAMPLE = 1000
"""Entries of the root looked at; the first one with a letter in its name decides."""


class NameRules:
    """Whether a root folds case; asked of names that exist, because a plan may not write.

    A root without a single cased name cannot be asked; then the platform's custom is assumed.
    Publishing never overwrites, so that a wrong guess costs a conflict, never a file.
    """

    def __init__(self, folders: Folders, syscalls: Syscalls) -> None:
        self._folders = folders
        self._syscalls = syscalls

    @cached_property
    def folds_case(self) -> bool:
        """Whether `a` and `A` are one name."""
        fd = self._folders.open_root()
        try:
            with contextlib.closing(self._syscalls.entries(fd)) as entries:
                names = {name for name, _ in itertools.islice(entries, _SAMPLE)}
            for name in sorted(names):
                other = name.swapcase()
                if other != name and other.swapcase() == name and other not in names:
                    return self._is_one(fd, name, other)
        finally:
            self._syscalls.close(fd)
        return sys.platform in {"darwin", "win32"}

    def _is_one(self, fd: int, name: str, other: str) -> bool:
        try:
            facts = self._syscalls.stat(name, dir_fd=fd)
            swapped = self._syscalls.stat(other, dir_fd=fd)
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == (swapped.st_dev, swapped.st_ino)

    @property
    def normalizes_unicode(self) -> bool:
        """Whether composed and decomposed forms are one name.

        Apple's file systems and case-folding ext4 do both (ext4: Unicode case folding works on
        normalized names); others that fold case are taken to, which costs a suffix at most.
        """
        return self.folds_case
