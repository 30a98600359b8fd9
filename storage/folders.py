"""Folders of one local root as descriptors: resolved below the root, made, synced."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Generator

from models.domain.errors import ExistsError, MissingError
from storage.keys import printable, split_key
from storage.syscalls import Syscalls

MAX_HELD = 256
"""Folders one batch keeps open; far below the usual limit of 1,024 descriptors."""

MAX_DURABLE = 100_000
"""Folders remembered as synced; beyond that they are synced once more."""


class _Batch:
    """Folders held open by one thread; `dirty` ones are synced when it ends."""

    def __init__(self) -> None:
        self.fds: OrderedDict[str, int] = OrderedDict()
        self.dirty: set[str] = set()


class _Local(threading.local):
    """The batch of the current thread."""

    batch: _Batch | None = None


class Folders:
    """Opens parents of keys. Every `hold` is followed by a `drop`.

    Outside a batch each folder is resolved afresh from the root, so that a folder that was moved
    away or replaced by a link is noticed at once; a batch, a second or two of work, keeps them.
    """

    def __init__(self, path: str, syscalls: Syscalls) -> None:
        self._path = path
        self._syscalls = syscalls
        self._root_fd: int | None = None
        self._lock = threading.Lock()
        self._local = _Local()
        self._durable: set[str] = set()

    def root(self) -> int:
        """Return the descriptor of the root, opened once.

        Raises:
            MissingError: the root is gone.
            OSError: it cannot be opened.
        """
        with self._lock:
            if self._root_fd is None:
                self._root_fd = self.open_root()
            return self._root_fd

    def open_root(self) -> int:
        """Return a fresh descriptor of the root, which the caller closes.

        Raises:
            MissingError: the root is gone.
            OSError: it cannot be opened.
        """
        try:
            return self._syscalls.open_root(self._path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingError(
                f"the folder {self._path!r} is gone; check that its disk is mounted"
            ) from error

    def hold(self, folder: str) -> int:
        """Return a descriptor of a folder.

        Raises:
            MissingError: the root is gone.
            OSError: ENOENT or ENOTDIR when the folder is not there, ELOOP at a link.
        """
        batch = self._local.batch
        if batch is None:
            return self._syscalls.open_folder(self.root(), folder)
        fd = batch.fds.get(folder)
        if fd is not None:
            batch.fds.move_to_end(folder)
            return fd
        fd = self._syscalls.open_folder(self.root(), folder)
        batch.fds[folder] = fd
        if len(batch.fds) > MAX_HELD:
            self._retire_oldest(batch)
        return fd

    def drop(self, fd: int) -> None:
        """Give a descriptor back; a batch keeps it."""
        if self._local.batch is None:
            self._syscalls.close(fd)

    def _retire_oldest(self, batch: _Batch) -> None:
        """Sync and close the folder used longest ago; the few in use now are the youngest."""
        folder, fd = batch.fds.popitem(last=False)
        try:
            if folder in batch.dirty:
                self._syscalls.fsync_folder(fd)
                batch.dirty.discard(folder)
        finally:
            self._syscalls.close(fd)

    def hold_made(self, folder: str) -> int:
        """Return a descriptor of a folder, making it and those above it as needed.

        The entries that lead to it are durable by then: a file must not be moved into a folder that
        a power loss takes away. An earlier run may have made folders and crashed before it synced
        them, so those that were there are synced too, once per store.

        Raises:
            MissingError: the root is gone.
            OSError: EEXIST or ENOTDIR where a file is in the way, ELOOP at a link.
        """
        try:
            fd = self.hold(folder)
        except FileNotFoundError:
            if not folder:
                raise
        else:
            self._sync_above(folder)
            return fd
        above, name = split_key(folder)
        above_fd = self.hold_made(above)
        try:
            with contextlib.suppress(FileExistsError):
                self._syscalls.mkdir(name, dir_fd=above_fd)
            self._syscalls.fsync_folder(above_fd)
        finally:
            self.drop(above_fd)
        self._durable.add(folder)
        return self.hold(folder)

    def hold_for(self, key: str) -> int:
        """Return a descriptor of the folder that a file is to be put in, made as needed.

        Raises:
            ExistsError: a file stands where a folder is needed.
            MissingError, OSError: see `hold_made`.
        """
        try:
            return self.hold_made(split_key(key)[0])
        except (NotADirectoryError, FileExistsError) as error:
            raise ExistsError(f"a file stands where {printable(key)!r} needs a folder") from error

    def changed(self, folder: str, fd: int) -> None:
        """Make what happened in a folder durable, now or when the batch ends."""
        batch = self._local.batch
        if batch is None:
            self._syscalls.fsync_folder(fd)
        else:
            batch.dirty.add(folder)

    def _sync_above(self, folder: str) -> None:
        missing: list[str] = []
        while folder and folder not in self._durable:
            missing.append(folder)
            folder = split_key(folder)[0]
        for below in missing:
            above = self._syscalls.open_folder(self.root(), split_key(below)[0])
            try:
                self._syscalls.fsync_folder(above)
            finally:
                self._syscalls.close(above)
        if len(self._durable) > MAX_DURABLE:
            self._durable.clear()
        self._durable.update(missing)

    def forget(self, folder: str) -> None:
        """Drop what is known of a folder that was removed."""
        self._durable.discard(folder)
        batch = self._local.batch
        if batch is not None and folder in batch.fds:
            self._syscalls.close(batch.fds.pop(folder))
            batch.dirty.discard(folder)

    @contextlib.contextmanager
    def batch(self) -> Generator[None]:
        """Keep folders open and sync each once, at the end; a crash inside syncs nothing."""
        if self._local.batch is not None:
            yield  # the outer batch answers for it
            return
        batch = self._local.batch = _Batch()
        try:
            try:
                yield
            except Exception:
                self._finish(batch)
                raise
            self._finish(batch)
        finally:
            self._local.batch = None
            for fd in batch.fds.values():
                self._syscalls.close(fd)

    def _finish(self, batch: _Batch) -> None:
        """Sync what changed; folders that were evicted meanwhile were synced then."""
        for folder in sorted(batch.dirty):
            self._syscalls.fsync_folder(batch.fds[folder])

    def close(self) -> None:
        """Close the root."""
        with self._lock:
            if self._root_fd is not None:
                self._syscalls.close(self._root_fd)
                self._root_fd = None
