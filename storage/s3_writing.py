"""Writing to S3 without overwriting, safe to repeat."""

from collections.abc import Mapping
from typing import Any

from models.domain.errors import CorruptError, ExistsError, FileOrganizerError, MissingError
from storage.copying import planned_blocks, planned_row
from storage.hashing import hash_stream
from storage.keys import printable
from storage.s3_calls import NotImplementedByServerError, PreconditionError, S3Calls, etag_of
from storage.s3_parts import NewObject, PartUpload, PartUploads, md5_header
from storage.s3_probe import ConditionalWrites
from storage.s3_reader import ObjectReader
from storage.store import ExpectedContent, Store

SMALL_BYTES = 8 << 20
"""Up to here one request carries an object: what AWS's own tools begin multipart uploads at."""

METADATA_MARK = "fileorganizer-mark"
METADATA_TIME = "mtime"
"""Seconds since 1970 with nine decimals: the name and form that rclone uses."""
METADATA_MODE = "fileorganizer-mode"
_KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "StorageClass",
)


class Uploads:
    """Writes below one prefix of one bucket."""

    def __init__(self, calls: S3Calls, bucket: str, prefix: str, *, small_bytes: int) -> None:
        self._calls = calls
        self._small_bytes = small_bytes
        self._bucket = bucket
        self._parts = PartUploads(calls, bucket, prefix)
        self.conditional_writes = ConditionalWrites(calls, bucket, prefix)
        self._noteless: set[str] = set()

    def _call(self, operation: str, name: str, **arguments: Any) -> Mapping[str, Any]:
        return self._calls.call(operation, Bucket=self._bucket, Key=name, **arguments)

    def receive(
        self,
        source: Store,
        source_key: str,
        name: str,
        *,
        mark: str,
        expected: ExpectedContent,
        modified_ns: int,
        copy_from: tuple[str, str] | None,
    ) -> str:
        """Return the ETag of the object written, or found to be written by this mark before.

        Args:
            source: where to read.
            source_key: what to read.
            name: whole key in the bucket.
            mark: name of the operation.
            expected: what the bytes must be.
            modified_ns: modification time to keep.
            copy_from: bucket and key that this endpoint can copy from itself.
        """
        published = self._published(name, mark)
        if published is None:
            row = planned_row(source, source_key, expected)
            self.conditional_writes.require()
            new = NewObject(
                source=source,
                row=row,
                name=name,
                mark=mark,
                expected=expected,
                facts=_facts(
                    self._headers(copy_from),
                    mark,
                    modified_ns if source.has_exact_times else row.modified_ns,
                    source.file_mode(source_key),
                ),
                copy_from=copy_from,
            )
            published = self._publish(new)
        self._verify(name, published, expected)
        return published

    # Streams of unknown length (`storage.s3_intake`)

    @property
    def is_exclusive(self) -> bool:
        """Whether the server refuses to overwrite when asked to; found out once."""
        return self.conditional_writes.is_supported()

    def begin_parts(self, name: str, *, mark: str, modified_ns: int) -> PartUpload:
        """Begin an object that comes in parts."""
        return self._parts.begin(name, mark=mark, facts=_facts({}, mark, modified_ns, None))

    def put_body(self, name: str, body: bytes, *, mark: str, modified_ns: int) -> str:
        """Write a small object under a free name and return its ETag."""
        condition = {"IfNoneMatch": "*"} if self.is_exclusive else {}
        reply = self._call(
            "put_object",
            name,
            Body=body,
            ContentMD5=md5_header(body),
            **condition,
            **_facts({}, mark, modified_ns, None),
        )
        return etag_of(reply)

    def published(self, name: str, mark: str) -> str | None:
        """Return the ETag of what a mark published, None when the name is free.

        Raises:
            ExistsError: it is somebody else's.
        """
        return self._published(name, mark)

    def _headers(self, copy_from: tuple[str, str] | None) -> Mapping[str, Any]:
        if copy_from is None:
            return {}
        return self._calls.call("head_object", Bucket=copy_from[0], Key=copy_from[1])

    def _published(self, name: str, mark: str) -> str | None:
        """Return the ETag of what this mark published before, None when the name is free.

        Raises:
            ExistsError: it is somebody else's.
        """
        try:
            reply = self._call("head_object", name)
        except MissingError:
            return None
        if reply.get("Metadata", {}).get(METADATA_MARK) != mark:
            raise ExistsError(f"{printable(name)!r} is taken")
        return etag_of(reply)

    def _publish(self, new: NewObject) -> str:
        """Write an object under a free name; a request whose reply was lost counts as done."""
        try:
            if new.row.size_bytes <= self._small_bytes:
                return self._put(new)
            published = self._parts.put(new)
        except FileOrganizerError as error:
            found = self._published(new.name, new.mark)
            if found is not None:
                return found
            if isinstance(error, PreconditionError):
                raise ExistsError(f"{printable(new.name)!r} was taken for a moment") from error
            raise
        self._noteless.add(new.mark)
        return published

    def _put(self, new: NewObject) -> str:
        body = b"".join(bytes(block) for block in planned_blocks(new.source, new.row, new.expected))
        self._noteless.add(new.mark)
        reply = self._call(
            "put_object",
            new.name,
            Body=body,
            ContentMD5=md5_header(body),
            IfNoneMatch="*",
            **new.facts,
        )
        return etag_of(reply)

    def _verify(self, name: str, etag: str, expected: ExpectedContent) -> None:
        """Read the object afresh and compare.

        Raises:
            CorruptError: it has other bytes; it was removed.
            StaleError: somebody replaced it meanwhile.
        """
        reader = ObjectReader(self._calls, self._bucket, name, version=etag)
        _, sha256, size_bytes = hash_stream(reader)
        if (sha256, size_bytes) == (expected.sha256, expected.size_bytes):
            return
        self.delete_version(name, etag)
        raise CorruptError(
            f"S3 gave back other bytes than planned for {printable(name)!r}; the copy was removed, "
            "the source is untouched"
        )

    def delete_version(self, name: str, etag: str) -> None:
        """Remove an object if it still is one version.

        `If-Match` makes that atomic where the server knows it; elsewhere a moment lies between
        the look (the caller's) and the removal.

        Raises:
            PreconditionError: it is another version by now.
        """
        try:
            self._call("delete_object", name, IfMatch=f'"{etag}"')
        except NotImplementedByServerError:
            self._call("delete_object", name)

    def settle(self, mark: str) -> None:
        """Remove the note of a finished upload, if it may be there."""
        if mark in self._noteless:
            self._noteless.discard(mark)
            return
        self._parts.remove_note(mark)

    def abandon(self, mark: str) -> None:
        """Abort the upload that a mark left unfinished."""
        self._parts.abandon(mark)


def _facts(
    headers: Mapping[str, Any], mark: str, modified_ns: int, mode: int | None
) -> dict[str, Any]:
    """Return metadata and headers: the source's own and what we add."""
    seconds, rest = divmod(modified_ns, 10**9)
    metadata = dict(headers.get("Metadata", {}))
    metadata |= {METADATA_MARK: mark, METADATA_TIME: f"{seconds}.{rest:09d}"}
    if mode is not None:
        metadata[METADATA_MODE] = f"{mode:o}"
    facts = {header: headers[header] for header in _KEPT if headers.get(header)}
    return {**facts, "Metadata": metadata}
