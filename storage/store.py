"""The one door to customers' bytes: what every storage can do, whatever lies behind it.

Writing never overwrites and is safe to repeat after a crash at any point. Keys are confined below
the root; symbolic links are never followed.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from models.domain.errors import BrokenError, StaleError
from models.domain.manifest import ContentHash, ListingProblem, ManifestRow
from storage.intake import Intake
from storage.keys import TRASH, check_folder, check_key, check_mark, printable


class RenameUnsupportedError(BrokenError):
    """These two keys cannot be renamed atomically; the mover falls back to receive and delete.

    Raised for keys on different file systems (a mount below the root), on file systems without
    `renameat2(RENAME_NOREPLACE)`, and by object storage.
    """


class ExpectedContent(Protocol):
    """What bytes must be: an `Operation`, a `ContentHash` or anything with these two."""

    @property
    def sha256(self) -> str:
        """SHA-256, 64 lower-case hexadecimal digits."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size in bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """Some rows of a listing, in order of key, and what was passed over meanwhile."""

    rows: tuple[ManifestRow, ...]
    problems: tuple[ListingProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingColumns:
    """Some rows of a listing by column, in order of key: the (n,) values of each `ManifestRow`."""

    key: list[str]
    size_bytes: list[int]
    modified_ns: list[int]
    version: list[str]
    device: list[int] | list[int | None]
    inode: list[int] | list[int | None]
    link_count: list[int]
    problems: list[ListingProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """What a folder has besides its files, so that an undo can restore it."""

    mode: int
    """Permission bits."""
    modified_ns: int
    """Modification time, nanoseconds since 1970 UTC."""


class Store(ABC):
    """One storage root.

    Attributes:
        url: canonical URL of the root.
        can_rename: whether `rename` works at all; otherwise the mover uses receive and delete.
        has_exact_times: whether listings tell the modification time that `stat` tells. Object
            storage keeps it in metadata, which a listing does not show.
    """

    url: str
    can_rename: bool = True
    has_exact_times: bool = True

    @property
    @abstractmethod
    def folds_case(self) -> bool:
        """Whether `a` and `A` are one name here."""

    @property
    @abstractmethod
    def normalizes_unicode(self) -> bool:
        """Whether composed and decomposed forms of a character are one name here."""

    @abstractmethod
    def identity(self) -> str:
        """Return what lies at the root: differs when another disk is (or no disk is) mounted there.

        Raises:
            MissingError: the root is gone.
        """

    # Reading

    def list_pages(self, prefix: str = "", *, page_size: int = 1000) -> Iterator[ListingPage]:
        """Yield every file below a folder, sorted by key over the whole listing.

        Our own folder is skipped at every depth. What cannot be a row (symbolic link, socket,
        device, undecodable name, unreadable folder, a folder met twice) is a problem; the key of a
        problem that hides a whole folder ends in `/`: what is known below it is unknown, not gone.

        Args:
            prefix: key of a folder; empty for the root. A folder that is not there has no files.
            page_size: rows a page at most.

        Raises:
            MissingError: the root itself is gone; a vanished mount is never an empty listing.
            BusyError, ForbiddenError: the storage did not answer, or refused to list the root.
        """
        rows: list[ManifestRow] = []
        problems: list[ListingProblem] = []
        for found in self._listed(check_folder(prefix), page_size):
            if isinstance(found, ManifestRow):
                rows.append(found)
            else:
                problems.append(found)
            if len(rows) >= page_size or len(problems) >= page_size:
                yield ListingPage(rows=tuple(rows), problems=tuple(problems))
                rows, problems = [], []
        if rows or problems:
            yield ListingPage(rows=tuple(rows), problems=tuple(problems))

    def list_columns(self) -> Iterator[ListingColumns]:
        """Yield the whole listing as `list_pages` does, by column: for who wants millions.

        Raises:
            MissingError: the root itself is gone; a vanished mount is never an empty listing.
            BusyError, ForbiddenError: the storage did not answer, or refused to list the root.
        """
        for page in self.list_pages():
            rows = page.rows
            yield ListingColumns(
                key=[row.key for row in rows],
                size_bytes=[row.size_bytes for row in rows],
                modified_ns=[row.modified_ns for row in rows],
                version=[row.version for row in rows],
                device=[row.device for row in rows],
                inode=[row.inode for row in rows],
                link_count=[row.link_count for row in rows],
                problems=[*page.problems],
            )

    @abstractmethod
    def _listed(self, folder: str, page_size: int) -> Iterator[ManifestRow | ListingProblem]:
        """Yield rows in order of key, problems anywhere; a folder in the trash is not skipped."""

    @abstractmethod
    def stat(self, key: str) -> ManifestRow:
        """Return one file as a listing would, with its exact modification time.

        Raises:
            MissingError: no regular file is there.
            UnsafePathError: the key, or a symbolic link on its way, leads out of the root.
        """

    @abstractmethod
    def file_mode(self, key: str) -> int | None:
        """Return the permission bits of a file, None where the storage has none.

        Raises:
            MissingError: no regular file is there.
        """

    @abstractmethod
    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Return a stream of one version of the file from `offset` on; the caller closes it.

        Raises:
            MissingError: no regular file is there.
        """

    @abstractmethod
    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`; fewer only where the file ends.

        Raises:
            MissingError: no regular file is there.
        """

    @abstractmethod
    def hash(self, key: str, *, expected_version: str | None = None) -> ContentHash:
        """Return the hashes of a full read of one version.

        Raises:
            MissingError: no regular file is there.
            StaleError: it is not `expected_version`, or changed while it was read.
        """

    def confirm(self, key: str, *, version: str, expected: ExpectedContent) -> str:
        """Return the current version of a file whose content is still as planned.

        An equal version costs one stat. A different one means "read again": moving one of two
        hardlinks, for instance, changes the version of the other.

        Raises:
            MissingError: no regular file is there.
            StaleError: the content changed.
        """
        row = self.stat(key)
        if row.version == version:
            return version
        if row.size_bytes == expected.size_bytes:
            found = self.hash(key, expected_version=row.version)
            if found.sha256 == expected.sha256:
                return row.version
        raise StaleError(f"{printable(key)!r} changed since it was planned; plan again")

    # Writing

    @abstractmethod
    def receive(
        self,
        source: "Store",
        source_key: str,
        key: str,
        *,
        mark: str,
        expected: ExpectedContent,
        source_version: str,
        modified_ns: int,
    ) -> str:
        """Copy a file here, verify what was written, publish it; return its version.

        A repeat with the same mark after any crash finds its own published file and returns its
        version. The mark stays until `settle`. Permission bits go along where both sides have them.
        A source whose version changed but whose content did not (another link of it was moved) is
        accepted: its bytes are compared anyway.

        Args:
            source: where to read; may be this store.
            source_key: what to read.
            key: what to write; folders on the way are made.
            mark: name of this operation, unique over all jobs.
            expected: SHA-256 and size the source must have.
            source_version: version the source was planned with.
            modified_ns: modification time of the copy.

        Raises:
            ExistsError: `key` is taken by somebody else; nothing was overwritten.
            StaleError: the source changed or is being written; partial bytes are removed.
            CorruptError: the bytes written are not the bytes read; they are removed.
            MissingError: the source is gone.
            ForbiddenError: the storage does not let us write, or cannot without overwriting.
            BrokenError: the disk is full or fails; partial bytes are removed.
            BusyError: try again; also when another worker is at the same mark now.
        """

    @abstractmethod
    def take_in(self, key: str, *, mark: str) -> Intake:
        """Begin a file of bytes that arrive from outside; it appears at `key` when it is published.

        Args:
            key: what to write; folders on the way are made.
            mark: name of this operation, unique; after a crash `abandon` removes what it left.

        Raises:
            UnsafePathError, InvalidError: the key or the mark is malformed.
            MissingError: the root is gone.
            BusyError: the storage does not answer.
        """

    @abstractmethod
    def settle(self, mark: str, key: str) -> None:
        """Drop the ownership mark of a file received; call it once the journal has recorded it."""

    @abstractmethod
    def abandon(self, mark: str) -> None:
        """Remove everything an unpublished receive left; a published file stays."""

    @abstractmethod
    def rename(self, source_key: str, key: str, *, version: str) -> str:
        """Move a file within this store, atomically and without overwriting; return its version.

        Repeated after a crash it finds the file at `key` by its inode and modification time.

        Raises:
            ExistsError: `key` is taken. Changing only the case of a name is no conflict with
                itself on a store that folds case.
            StaleError: the source is not `version`.
            MissingError: the source is gone.
            RenameUnsupportedError: not these two keys, or not in this store; receive and delete.
        """

    def can_adopt(self, source: "Store") -> bool:
        """Return whether files of another root may come here by `adopt`; of this one by `rename`.

        A file may still turn out to lie on another file system, which `adopt` then says.
        """
        return source is self and self.can_rename

    def adopt(self, source: "Store", source_key: str, key: str, *, version: str) -> str:
        """Move a file here from another root, as `rename` does within one; return its version.

        Raises:
            RenameUnsupportedError: not from that root; receive and delete.
            ExistsError, StaleError, MissingError: see `rename`.
        """
        if source is self:
            return self.rename(source_key, key, version=version)
        raise RenameUnsupportedError(f"{source.url} and {self.url} share no file system")

    @abstractmethod
    def delete(self, key: str, *, version: str) -> None:
        """Remove a file, only if it still is that version.

        Raises:
            StaleError: it is not `version`; nothing was removed.
            MissingError: no regular file is there.
        """

    @abstractmethod
    def set_times(self, key: str, modified_ns: int) -> str:
        """Set the modification time; return the version, which this changes.

        Raises:
            MissingError: no regular file is there.
            RenameUnsupportedError: object storage cannot without rewriting the object.
        """

    def batch(self) -> AbstractContextManager[None]:
        """Group what makes renames and deletions durable: folders are synced once, at the exit.

        Inside, folders stay open by descriptor. Journal nothing as done before the exit. One batch
        belongs to one thread. `receive` inside a batch defers the sync of its folder too.
        """
        return nullcontext()

    # Trash

    def trash_key(self, job_id: str, key: str) -> str:
        """Return where a job puts a file it removes.

        Raises:
            InvalidError: the id of the job, or the key, is malformed.
        """
        return f"{TRASH}/{check_mark(job_id)}/{check_key(key)}"

    def list_trash(self, job_id: str | None = None) -> Iterator[ManifestRow]:
        """Yield what lies in the trash, of one job or of all, sorted by key."""
        folder = TRASH if job_id is None else f"{TRASH}/{check_mark(job_id)}"
        for found in self._listed(folder, 1000):
            if isinstance(found, ManifestRow):
                yield found

    # Folders

    @abstractmethod
    def folder_facts(self, key: str) -> FolderFacts | None:
        """Return mode and time of a folder; None where it is not there or has none."""

    @abstractmethod
    def restore_folder(self, key: str, facts: FolderFacts) -> None:
        """Make the folder if it is missing and give it its mode and time; no-op on S3."""

    @abstractmethod
    def prune_folder(self, key: str) -> bool:
        """Remove a folder if it is empty; return whether it was removed. Never the root."""

    @abstractmethod
    def tidy(self) -> None:
        """Remove our own folders where they are empty, so that an undone tree is as it was."""

    def close(self) -> None:
        """Release what the store holds open."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
