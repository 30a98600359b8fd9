"""A folder on local disk as a store."""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import MissingError
from models.domain.manifest import ContentHash, ListingProblem, ManifestRow
from storage.folders import Folders
from storage.hashing import hash_stream
from storage.intake import Intake
from storage.keys import (
    check_folder,
    check_key,
    check_mark,
    check_writable,
    printable,
    split_key,
)
from storage.listing import Stretch, Walk, row_of, version_of
from storage.local_folders import FolderCare
from storage.local_intake import LocalIntake
from storage.local_names import NameRules
from storage.marks import Marks
from storage.os_errors import translated
from storage.renaming import Renaming, changed, regular
from storage.staging import Staging
from storage.store import ExpectedContent, FolderFacts, ListingColumns, Store
from storage.syscalls import FileReader, Syscalls

_PERMISSIONS = 0o777


class LocalStore(Store):
    """Files below one folder, reached by descriptor only: no link on the way is ever followed.

    Args:
        path: the root, absolute.
        url: its canonical URL.
        syscalls: the operating system; tests put a crashing or forgetful one here.
    """

    def __init__(self, path: Path, *, url: str, syscalls: Syscalls | None = None) -> None:
        self.url = url
        self._syscalls = syscalls or Syscalls()
        self._folders = Folders(os.fspath(path), self._syscalls)
        self._marks = Marks(self._folders, self._syscalls)
        self._staging = Staging(self._folders, self._marks, self._syscalls)
        self._renaming = Renaming(self._folders, self._syscalls)
        self._care = FolderCare(self._folders, self._syscalls)
        self._names = NameRules(self._folders, self._syscalls)

    @property
    def folders(self) -> Folders:
        """The folders below the root, for a rename to another root."""
        return self._folders

    @property
    def folds_case(self) -> bool:
        """Whether `a` and `A` are one name here; found out once, without writing."""
        return self._names.folds_case

    @property
    def normalizes_unicode(self) -> bool:
        """Whether composed and decomposed characters are one name here."""
        return self._names.normalizes_unicode

    def identity(self) -> str:
        """Return the file system's id and the root's inode."""
        fd = self._folders.open_root()
        try:
            return f"{self._syscalls.filesystem_id(fd):x}-{self._syscalls.fstat(fd).st_ino}"
        finally:
            self._syscalls.close(fd)

    # Reading

    def _listed(self, folder: str, page_size: int) -> Iterator[ManifestRow | ListingProblem]:
        del page_size  # pages are cut by the caller; a disk has no requests to save
        for stretch in self._walked(folder):
            yield from stretch.problems
            yield from stretch.rows()

    def list_columns(self) -> Iterator[ListingColumns]:
        """Yield the listing of the whole root as columns; see `Store.list_columns`.

        Nothing is made for a file but its key, its version and what the system tells: a quarter of
        the cost of a row.
        """
        for stretch in self._walked(""):
            facts = stretch.facts
            yield ListingColumns(
                key=stretch.keys,
                size_bytes=[each.st_size for each in facts],
                modified_ns=[each.st_mtime_ns for each in facts],
                version=[version_of(each) for each in facts],
                device=[each.st_dev for each in facts],
                inode=[each.st_ino for each in facts],
                link_count=[each.st_nlink for each in facts],
                problems=stretch.problems,
            )

    def _walked(self, folder: str) -> Iterator[Stretch]:
        root_fd = self._folders.open_root()
        try:
            yield from Walk(self._syscalls, root_fd).below(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise translated(error, folder or self.url) from error
        finally:
            self._syscalls.close(root_fd)

    def stat(self, key: str) -> ManifestRow:
        """Return one file; see `Store.stat`."""
        return row_of(key, self._facts(key))

    def file_mode(self, key: str) -> int | None:
        """Return the permission bits; see `Store.file_mode`."""
        return self._facts(key).st_mode & _PERMISSIONS

    def _facts(self, key: str) -> os.stat_result:
        folder, name = split_key(check_key(key))
        try:
            fd = self._folders.hold(folder)
            try:
                facts = self._syscalls.stat(name, dir_fd=fd)
            finally:
                self._folders.drop(fd)
        except OSError as error:
            raise translated(error, key) from error
        return regular(facts, key)

    def _open_fd(self, key: str) -> int:
        """Return a descriptor of a regular file.

        Raises:
            MissingError: no regular file is there.
        """
        folder, name = split_key(check_key(key))
        try:
            folder_fd = self._folders.hold(folder)
            try:
                fd = self._syscalls.open_file(name, os.O_RDONLY, dir_fd=folder_fd)
            finally:
                self._folders.drop(folder_fd)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ELOOP} and folder == "":
                raise MissingError(f"{printable(key)!r} is no regular file") from error
            raise translated(error, key) from error
        try:
            regular(self._syscalls.fstat(fd), key)
        except BaseException:
            self._syscalls.close(fd)
            raise
        return fd

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Return a buffered stream; see `Store.open`."""
        stream = self._syscalls.stream(self._open_fd(key))
        if offset:
            stream.seek(offset)
        return stream

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a part of a file; see `Store.read_range`."""
        with self.open(key, offset=start) as stream:
            return stream.read(length)

    def hash(self, key: str, *, expected_version: str | None = None) -> ContentHash:
        """Return the hashes of one version; see `Store.hash`."""
        fd = self._open_fd(key)
        try:
            before = version_of(self._syscalls.fstat(fd))
            if expected_version not in {None, before}:
                raise changed(key)
            md5, sha256, size_bytes = hash_stream(FileReader(self._syscalls, fd))
            if version_of(self._syscalls.fstat(fd)) != before:
                raise changed(key)
        except OSError as error:
            raise translated(error, key) from error
        finally:
            self._syscalls.close(fd)
        return ContentHash(md5=md5, sha256=sha256, size_bytes=size_bytes, version=before)

    # Writing

    def receive(
        self,
        source: Store,
        source_key: str,
        key: str,
        *,
        mark: str,
        expected: ExpectedContent,
        source_version: str,
        modified_ns: int,
    ) -> str:
        """Copy, verify and publish a file; see `Store.receive`."""
        del source_version  # the bytes themselves are compared
        check_writable(key)
        try:
            return self._staging.receive(
                source, source_key, key, mark=mark, expected=expected, modified_ns=modified_ns
            )
        except OSError as error:
            raise translated(error, key) from error

    def take_in(self, key: str, *, mark: str) -> Intake:
        """Begin a file of bytes from outside; see `Store.take_in`."""
        return LocalIntake(
            check_writable(key),
            mark=check_mark(mark),
            folders=self._folders,
            marks=self._marks,
            syscalls=self._syscalls,
        )

    def settle(self, mark: str, key: str) -> None:
        """Drop an ownership mark; see `Store.settle`."""
        try:
            self._marks.settle(mark, check_writable(key))
        except OSError as error:
            raise translated(error, key) from error

    def abandon(self, mark: str) -> None:
        """Remove what an unpublished receive left; see `Store.abandon`."""
        try:
            self._marks.abandon(mark)
        except OSError as error:
            raise translated(error, mark) from error

    def rename(self, source_key: str, key: str, *, version: str) -> str:
        """Move a file by `renameat2(RENAME_NOREPLACE)`; see `Store.rename`."""
        return self._renaming.rename(check_writable(source_key), check_writable(key), version)

    def can_adopt(self, source: Store) -> bool:
        """Return whether both roots are on one file system; see `Store.can_adopt`."""
        if source is self or not isinstance(source, LocalStore):
            return super().can_adopt(source)
        try:
            return self.can_rename and source.can_rename and self.device() == source.device()
        except (MissingError, OSError):
            return False

    def device(self) -> int:
        """Return the number of the root's file system.

        Raises:
            MissingError: the root is gone.
        """
        return self._syscalls.fstat(self._folders.root()).st_dev

    def adopt(self, source: Store, source_key: str, key: str, *, version: str) -> str:
        """Move a file here by `renameat2(RENAME_NOREPLACE)`; see `Store.adopt`."""
        if source is self or not isinstance(source, LocalStore):
            return super().adopt(source, source_key, key, version=version)
        renaming = Renaming(self._folders, self._syscalls, source=source.folders)
        return renaming.rename(check_writable(source_key), check_writable(key), version)

    def delete(self, key: str, *, version: str) -> None:
        """Remove a file if it is still that version; see `Store.delete`."""
        folder, name = split_key(check_writable(key))
        try:
            fd = self._folders.hold(folder)
            try:
                facts = regular(self._syscalls.stat(name, dir_fd=fd), key)
                if version_of(facts) != version:
                    raise changed(key)
                self._syscalls.unlink(name, dir_fd=fd)
                self._folders.changed(folder, fd)
            finally:
                self._folders.drop(fd)
        except OSError as error:
            raise translated(error, key) from error

    def set_times(self, key: str, modified_ns: int) -> str:
        """Set the modification time; see `Store.set_times`."""
        check_writable(key)
        fd = self._open_fd(key)
        try:
            self._syscalls.set_facts(fd, mode=None, modified_ns=modified_ns)
            self._syscalls.fsync(fd)
            return version_of(self._syscalls.fstat(fd))
        except OSError as error:
            raise translated(error, key) from error
        finally:
            self._syscalls.close(fd)

    def batch(self) -> AbstractContextManager[None]:
        """Sync each changed folder once, at the exit; see `Store.batch`."""
        return self._folders.batch()

    # Folders

    def folder_facts(self, key: str) -> FolderFacts | None:
        """Return mode and time of a folder; see `Store.folder_facts`."""
        return self._care.facts(check_folder(key))

    def restore_folder(self, key: str, facts: FolderFacts) -> None:
        """Make a folder as it was; see `Store.restore_folder`."""
        self._care.restore(check_folder(key), facts)

    def prune_folder(self, key: str) -> bool:
        """Remove an empty folder; see `Store.prune_folder`."""
        return self._care.prune(check_writable(key))

    def tidy(self) -> None:
        """Remove our own folders where they are empty; see `Store.tidy`."""
        try:
            self._marks.tidy()
        except OSError as error:
            raise translated(error, self.url) from error

    def close(self) -> None:
        """Close the root's descriptor."""
        self._folders.close()
