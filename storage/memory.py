"""A tree in this process' memory as a store: for tests, and for disks that fold names.

`memory://name?fold_case=1&normalize=1` compares names as a case-insensitive, normalizing disk does.
"""

import io
import itertools
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from models.domain.errors import ExistsError, MissingError, StaleError
from models.domain.manifest import ContentHash, ListingProblem, ManifestRow
from models.domain.paths import fold
from storage.copying import planned_blocks, planned_row
from storage.hashing import hash_stream
from storage.intake import Intake, now_ns
from storage.keys import check_folder, check_key, check_mark, check_writable, is_reserved, printable
from storage.store import ExpectedContent, FolderFacts, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What fsspec's memory does not keep of a file."""

    key: str
    """As it was written; the path it is found by may be folded."""
    number: int
    """Stays with a file that is renamed, as an inode does."""
    change: int
    """Differs after every change, as a ctime does."""
    modified_ns: int
    seen_at: datetime
    """fsspec's own time of the bytes; another one means somebody wrote around us."""
    mode: int | None = None
    mark: str | None = None

    @property
    def version(self) -> str:
        """Version token."""
        return f"{self.number}-{self.modified_ns}-{self.change}"


_LOCK = threading.RLock()
"""Memory is one for the process, so is its lock."""

_FACTS: WeakKeyDictionary[Any, _Facts] = WeakKeyDictionary()
_COUNTER = itertools.count(1)


class MemoryStore(Store):
    """Files in memory, the same for every store of one name in this process.

    Args:
        url: canonical URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        path, _, query = url.removeprefix("memory://").partition("?")
        flags = parse_qs(query)
        self._folds = "fold_case" in flags
        self._normalizes = "normalize" in flags
        self._root = f"/{path}/"
        self._memory: Any = MemoryFileSystem(skip_instance_cache=True)
        self._files: Any = self._memory.store

    @property
    def folds_case(self) -> bool:
        """Whether `a` and `A` are one name here."""
        return self._folds

    @property
    def normalizes_unicode(self) -> bool:
        """Whether composed and decomposed characters are one name here."""
        return self._normalizes

    def identity(self) -> str:
        """Return the root's path."""
        return f"memory{self._root}"

    def _path(self, key: str) -> str:
        """Return where a key is kept: one path for all spellings that are one name here."""
        check_key(key)
        if self._folds and self._normalizes:
            return self._root + fold(key)
        if self._folds:
            return self._root + key.casefold()
        if self._normalizes:
            return self._root + unicodedata.normalize("NFC", key)
        return self._root + key

    def _found(self, key: str) -> tuple[MemoryFile, _Facts]:
        """Return a file and its facts; the caller holds the lock.

        Raises:
            MissingError: it is not there.
        """
        path = self._path(key)
        file = self._files.get(path)
        if file is None:
            raise MissingError(f"{printable(key)!r} is not there")
        return file, self._facts(path, file)

    def _facts(self, path: str, file: Any) -> _Facts:
        facts = _FACTS.get(file)
        if facts is None or facts.seen_at != file.modified:
            facts = _Facts(
                key=path.removeprefix(self._root) if facts is None else facts.key,
                number=next(_COUNTER),
                change=next(_COUNTER),
                modified_ns=int(file.modified.astimezone(UTC).timestamp() * 1e6) * 1000,
                seen_at=file.modified,
            )
            _FACTS[file] = facts
        return facts

    # Reading

    def _listed(self, folder: str, page_size: int) -> Iterator[ManifestRow | ListingProblem]:
        del page_size
        start = f"{folder}/" if folder else ""
        with _LOCK:
            rows = [
                _row(self._facts(path, file), file)
                for path, file in list(self._files.items())
                if path.startswith(self._root)
            ]
        for row in sorted(rows, key=lambda row: row.key):
            inner = row.key.removeprefix(start)
            is_below = row.key.startswith(start)
            if is_below and not any(is_reserved(part) for part in inner.split("/")):
                yield row

    def stat(self, key: str) -> ManifestRow:
        """Return one file; see `Store.stat`."""
        with _LOCK:
            file, facts = self._found(key)
            return replace(_row(facts, file), key=key)

    def file_mode(self, key: str) -> int | None:
        """Return the permission bits that came with the file; see `Store.file_mode`."""
        with _LOCK:
            return self._found(key)[1].mode

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Return a stream; see `Store.open`."""
        with _LOCK:
            stream = io.BytesIO(self._found(key)[0].getvalue())
        stream.seek(offset)
        return stream

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a part of a file; see `Store.read_range`."""
        with self.open(key, offset=start) as stream:
            return stream.read(length)

    def hash(self, key: str, *, expected_version: str | None = None) -> ContentHash:
        """Return the hashes of one version; see `Store.hash`."""
        with _LOCK:
            file, facts = self._found(key)
            data = file.getvalue()
        if expected_version not in {None, facts.version}:
            raise _changed(key)
        md5, sha256, size_bytes = hash_stream(io.BytesIO(data))
        return ContentHash(md5=md5, sha256=sha256, size_bytes=size_bytes, version=facts.version)

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
        """Copy a file here in one step; see `Store.receive`."""
        del source_version  # the bytes themselves are compared
        check_mark(mark)
        published = self._published(check_writable(key), mark)
        if published is not None:
            return published
        row = planned_row(source, source_key, expected)
        data = b"".join(bytes(block) for block in planned_blocks(source, row, expected))
        mode = source.file_mode(source_key)
        with _LOCK:
            published = self._published(key, mark)
            if published is not None:
                return published
            path = self._path(key)
            file: Any = MemoryFile(self._memory, path, data)
            facts = _Facts(
                key=key,
                number=next(_COUNTER),
                change=next(_COUNTER),
                modified_ns=modified_ns if source.has_exact_times else row.modified_ns,
                seen_at=file.modified,
                mode=mode,
                mark=mark,
            )
            _FACTS[file] = facts
            self._files[path] = file
            return facts.version

    def take_in(self, key: str, *, mark: str) -> Intake:
        """Begin a file of bytes from outside; see `Store.take_in`."""
        check_mark(mark)
        return _MemoryIntake(self, check_writable(key))

    def put(self, key: str, data: bytes) -> _Facts:
        """Write a new file.

        Raises:
            ExistsError: the key is taken.
        """
        with _LOCK:
            path = self._path(key)
            if path in self._files:
                raise ExistsError(f"{printable(key)!r} is taken")
            file: Any = MemoryFile(self._memory, path, data)
            facts = _Facts(
                key=key,
                number=next(_COUNTER),
                change=next(_COUNTER),
                modified_ns=now_ns(),
                seen_at=file.modified,
            )
            _FACTS[file] = facts
            self._files[path] = file
            return facts

    def _published(self, key: str, mark: str) -> str | None:
        """Return the version when this mark published the file before, None when it is free.

        Raises:
            ExistsError: it is somebody else's.
        """
        with _LOCK:
            try:
                _, facts = self._found(key)
            except MissingError:
                return None
        if facts.mark != mark:
            raise ExistsError(f"{printable(key)!r} is taken")
        return facts.version

    def settle(self, mark: str, key: str) -> None:
        """Drop the ownership mark; see `Store.settle`."""
        check_mark(mark)
        with _LOCK:
            file = self._files.get(self._path(check_writable(key)))
            facts = _FACTS.get(file) if file is not None else None
            if facts is not None and facts.mark == mark:
                _FACTS[file] = replace(facts, mark=None)

    def abandon(self, mark: str) -> None:
        """Do nothing: a copy appears in one step or not at all."""
        check_mark(mark)

    def rename(self, source_key: str, key: str, *, version: str) -> str:
        """Move a file; see `Store.rename`."""
        source_path = self._path(check_writable(source_key))
        path = self._path(check_writable(key))
        with _LOCK:
            try:
                file, facts = self._found(source_key)
            except MissingError:
                return self._renamed_before(key, version)
            if facts.version != version:
                raise _changed(source_key)
            if path in self._files and (path != source_path or key == facts.key):
                raise ExistsError(f"{printable(key)!r} is taken")
            facts = replace(facts, key=key, change=next(_COUNTER))
            del self._files[source_path]
            self._files[path] = file
            _FACTS[file] = facts
            return facts.version

    def _renamed_before(self, key: str, version: str) -> str:
        """Return the version of a file that an earlier, interrupted call renamed.

        Raises:
            MissingError: it did not.
        """
        facts = self._found(key)[1]
        if not facts.version.startswith(version.rpartition("-")[0] + "-"):
            raise MissingError(f"{printable(key)!r} was not moved before, and its source is gone")
        return facts.version

    def delete(self, key: str, *, version: str) -> None:
        """Remove a file if it is still that version; see `Store.delete`."""
        path = self._path(check_writable(key))
        with _LOCK:
            if self._found(key)[1].version != version:
                raise _changed(key)
            del self._files[path]

    def set_times(self, key: str, modified_ns: int) -> str:
        """Set the modification time; see `Store.set_times`."""
        with _LOCK:
            file, facts = self._found(check_writable(key))
            facts = replace(facts, modified_ns=modified_ns, change=next(_COUNTER))
            _FACTS[file] = facts
            return facts.version

    # Folders, of which memory has none

    def folder_facts(self, key: str) -> FolderFacts | None:
        """Return None: memory keeps no folders."""
        check_folder(key)
        return None

    def restore_folder(self, key: str, facts: FolderFacts) -> None:
        """Do nothing: memory keeps no folders."""
        del facts
        check_folder(key)

    def prune_folder(self, key: str) -> bool:
        """Return False: memory keeps no folders."""
        check_folder(key)
        return False

    def tidy(self) -> None:
        """Do nothing: there is nothing of ours."""


class _MemoryIntake(Intake):
    """One file on its way into memory."""

    def __init__(self, store: MemoryStore, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._data = bytearray()

    def _put(self, block: memoryview) -> None:
        self._data += block

    def _finish(self) -> tuple[str, int]:
        facts = self._store.put(self._key, bytes(self._data))
        return facts.version, facts.modified_ns

    def _remove(self) -> None:
        self._data.clear()


def _row(facts: _Facts, file: Any) -> ManifestRow:
    return ManifestRow(
        key=facts.key,
        size_bytes=len(file.getbuffer()),
        modified_ns=facts.modified_ns,
        version=facts.version,
    )


def _changed(key: str) -> StaleError:
    return StaleError(f"{printable(key)!r} changed since it was planned; plan again")
