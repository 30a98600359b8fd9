"""A bucket, or a prefix of one, as a store."""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, cast

from models.domain.errors import BrokenError, InvalidError, StaleError
from models.domain.manifest import ContentHash, ListingProblem, ManifestRow
from storage.hashing import Readable, hash_stream
from storage.intake import Intake
from storage.keys import check_folder, check_key, check_mark, check_writable, is_reserved, printable
from storage.s3_calls import PreconditionError, S3Calls, etag_of
from storage.s3_intake import S3Intake
from storage.s3_reader import ObjectReader
from storage.s3_writing import METADATA_MODE, METADATA_TIME, SMALL_BYTES, Uploads
from storage.store import ExpectedContent, FolderFacts, RenameUnsupportedError, Store

_MAX_KEY_BYTES = 1024  # S3 user guide, object key names
_NS = 10**9


class S3Store(Store):
    """Objects below one prefix. ETags are version tokens, never the identity of content.

    Args:
        bucket: its name.
        prefix: key of the root in the bucket, no slash at either end; empty for the whole bucket.
        url: canonical URL.
        calls: the door to S3; tests put another here.
        small_bytes: size up to which one request carries an object.
    """

    can_rename = False
    has_exact_times = False

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        url: str,
        calls: S3Calls,
        small_bytes: int = SMALL_BYTES,
    ) -> None:
        self.url = url
        self.bucket = bucket
        self.calls = calls
        self._prefix = f"{prefix}/" if prefix else ""
        self._uploads = Uploads(calls, bucket, self._prefix, small_bytes=small_bytes)

    @property
    def folds_case(self) -> bool:
        """Whether `a` and `A` are one name here: never."""
        return False

    @property
    def normalizes_unicode(self) -> bool:
        """Whether composed and decomposed characters are one name here: never."""
        return False

    def name_of(self, key: str) -> str:
        """Return the whole key in the bucket.

        Raises:
            UnsafePathError, InvalidError: see `check_key`; also when S3 takes no key so long.
        """
        name = self._prefix + check_key(key)
        if len(name.encode("utf-8")) > _MAX_KEY_BYTES:
            raise InvalidError(f"S3 takes keys of {_MAX_KEY_BYTES} bytes at most")
        return name

    def identity(self) -> str:
        """Return the endpoint and the bucket.

        Raises:
            MissingError: the bucket is gone.
        """
        self.calls.call("head_bucket", Bucket=self.bucket)
        return f"{self.calls.endpoint_url or 'aws'}/{self.bucket}"

    def supports_conditional_write(self) -> bool:
        """Return whether the server refuses to overwrite when asked to; found out once."""
        return self._uploads.conditional_writes.is_supported()

    # Reading

    def _listed(self, folder: str, page_size: int) -> Iterator[ManifestRow | ListingProblem]:
        start = self._prefix + (f"{folder}/" if folder else "")
        arguments: dict[str, Any] = {
            "Bucket": self.bucket,
            "Prefix": start,
            "MaxKeys": min(page_size, 1000),
        }
        last = ""
        while True:
            page = self.calls.call("list_objects_v2", **arguments)
            for found in page.get("Contents", ()):
                name = str(found["Key"])
                if name < last:
                    raise BrokenError("this S3 server lists out of order; it cannot be compared")
                last = name
                yield from self._entry(name, len(start), found)
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def _entry(
        self, name: str, skip: int, found: Mapping[str, Any]
    ) -> Iterator[ManifestRow | ListingProblem]:
        if any(is_reserved(part) for part in name[skip:].split("/")):
            return
        key = name[len(self._prefix) :]
        size_bytes = int(found["Size"])
        if name.endswith("/") and size_bytes == 0:
            return  # what consoles put where they show an empty folder
        try:
            check_key(key)
        except InvalidError:
            yield ListingProblem(key=printable(key), reason="a key that is no path: rename it")
            return
        yield ManifestRow(
            key=key,
            size_bytes=size_bytes,
            modified_ns=_ns_of(found["LastModified"]),
            version=etag_of(found),
        )

    def head(self, key: str) -> Mapping[str, Any]:
        """Return S3's reply to HeadObject.

        Raises:
            MissingError: it is not there.
        """
        return self.calls.call("head_object", Bucket=self.bucket, Key=self.name_of(key))

    def stat(self, key: str) -> ManifestRow:
        """Return one object with the time its metadata keeps; see `Store.stat`."""
        reply = self.head(key)
        return ManifestRow(
            key=key,
            size_bytes=int(reply["ContentLength"]),
            modified_ns=_kept_ns(reply),
            version=etag_of(reply),
        )

    def file_mode(self, key: str) -> int | None:
        """Return the permission bits kept in metadata; see `Store.file_mode`."""
        try:
            return int(self.head(key)["Metadata"][METADATA_MODE], 8) & 0o777
        except (KeyError, ValueError):
            return None

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Return a buffered stream of one version; see `Store.open`."""
        raw = ObjectReader(self.calls, self.bucket, self.name_of(key), offset=offset)
        return cast("BinaryIO", io.BufferedReader(raw, buffer_size=1 << 17))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a part of an object; see `Store.read_range`."""
        with self.open(key, offset=start) as stream:
            return stream.read(length)

    def hash(self, key: str, *, expected_version: str | None = None) -> ContentHash:
        """Return the hashes of one version; see `Store.hash`."""
        reader = ObjectReader(self.calls, self.bucket, self.name_of(key), version=expected_version)
        md5, sha256, size_bytes = hash_stream(cast("Readable", reader))
        return ContentHash(
            md5=md5, sha256=sha256, size_bytes=size_bytes, version=reader.version or ""
        )

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
        """Copy, publish with `If-None-Match: *`, verify; see `Store.receive`.

        The mark is metadata of the object, so that a repeat, or a retry whose first reply was lost,
        knows its own. Up to 8 MiB go through us in one request; larger objects of the same endpoint
        are copied by the server, part by part.

        Raises:
            ForbiddenError: the server overwrites silently; nothing was written.
        """
        del source_version  # the bytes themselves are compared
        check_writable(key)
        copy_from = None
        if isinstance(source, S3Store) and source.calls.endpoint_url == self.calls.endpoint_url:
            copy_from = (source.bucket, source.name_of(source_key))
        return self._uploads.receive(
            source,
            source_key,
            self.name_of(key),
            mark=check_mark(mark),
            expected=expected,
            modified_ns=modified_ns,
            copy_from=copy_from,
        )

    def take_in(self, key: str, *, mark: str) -> Intake:
        """Begin an object of bytes from outside; see `Store.take_in`."""
        name = self.name_of(check_writable(key))
        return S3Intake(name, mark=check_mark(mark), uploads=self._uploads)

    def settle(self, mark: str, key: str) -> None:
        """Drop what tracks an upload; the mark itself stays in the metadata and harms nobody."""
        check_writable(key)
        self._uploads.settle(check_mark(mark))

    def abandon(self, mark: str) -> None:
        """Abort an unfinished upload; see `Store.abandon`."""
        self._uploads.abandon(check_mark(mark))

    def rename(self, source_key: str, key: str, *, version: str) -> str:
        """Raise: S3 has no rename.

        Raises:
            RenameUnsupportedError: always.
        """
        del version
        raise RenameUnsupportedError(
            f"S3 cannot rename {printable(source_key)!r} to {printable(key)!r}; copy and delete"
        )

    def delete(self, key: str, *, version: str) -> None:
        """Remove an object if it is still that version; see `Store.delete`."""
        name = self.name_of(check_writable(key))
        if etag_of(self.head(key)) != version:
            raise StaleError(f"{printable(key)!r} changed since it was planned; plan again")
        try:
            self._uploads.delete_version(name, version)
        except PreconditionError as error:
            raise StaleError(f"{printable(key)!r} changed since it was planned") from error

    def set_times(self, key: str, modified_ns: int) -> str:
        """Raise: metadata changes with the object only.

        Raises:
            MissingError: it is not there.
            RenameUnsupportedError: it is.
        """
        self.head(key)
        raise RenameUnsupportedError(
            f"S3 cannot set the time of {printable(key)!r} to {modified_ns} without rewriting it"
        )

    # Folders, of which S3 has none

    def folder_facts(self, key: str) -> FolderFacts | None:
        """Return None: S3 has no folders."""
        check_folder(key)
        return None

    def restore_folder(self, key: str, facts: FolderFacts) -> None:
        """Do nothing: S3 has no folders."""
        del facts
        check_folder(key)

    def prune_folder(self, key: str) -> bool:
        """Return False: S3 has no folders."""
        check_folder(key)
        return False

    def tidy(self) -> None:
        """Remove what crashed probes left; everything else of ours goes object by object."""
        self._uploads.conditional_writes.tidy()

    def close(self) -> None:
        """Close the connections."""
        self.calls.close()


def _ns_of(modified_at: datetime) -> int:
    """Return whole seconds as nanoseconds: HeadObject tells no more, some listings do."""
    return int(modified_at.astimezone(UTC).timestamp()) * _NS


def _kept_ns(reply: Mapping[str, Any]) -> int:
    """Return the time in the metadata (seconds with decimals, as rclone keeps it), else S3's."""
    kept = reply.get("Metadata", {}).get(METADATA_TIME)
    if kept is not None:
        try:
            return int(Decimal(kept) * _NS)
        except (InvalidOperation, ValueError, OverflowError):
            pass  # somebody else's metadata of the same name
    return _ns_of(reply["LastModified"])
