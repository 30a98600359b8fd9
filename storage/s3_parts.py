"""Large objects: uploaded or copied in parts, with a note that finds an unfinished upload again."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.domain.errors import FileOrganizerError, MissingError, StaleError
from models.domain.manifest import ManifestRow
from storage.copying import planned_blocks
from storage.keys import STAGING, printable
from storage.s3_calls import PreconditionError, S3Calls, UploadGoneError, etag_of
from storage.store import ExpectedContent, Store

PART_BYTES = 16 << 20
"""Part of an upload that goes through us; held in memory once per thread."""

COPY_PART_BYTES = 512 << 20
"""Part of a copy within one endpoint; the server answers each when it is done."""

_MAX_PARTS = 10_000  # S3 user guide, multipart upload limits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """One object to write."""

    source: Store
    row: ManifestRow
    name: str
    """Whole key in the bucket."""
    mark: str
    expected: ExpectedContent
    facts: Mapping[str, Any]
    """Metadata and headers, as arguments of a request."""
    copy_from: tuple[str, str] | None
    """Bucket and key, where the same endpoint has the source."""


def md5_header(body: bytes) -> str:
    """Return the `Content-MD5` of a body, which every S3 server checks on arrival."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


class PartUploads:
    """Multipart uploads below one prefix of one bucket."""

    def __init__(self, calls: S3Calls, bucket: str, prefix: str) -> None:
        self._calls = calls
        self._bucket = bucket
        self._prefix = prefix

    def _call(self, operation: str, name: str, **arguments: Any) -> Mapping[str, Any]:
        return self._calls.call(operation, Bucket=self._bucket, Key=name, **arguments)

    def put(self, new: NewObject) -> str:
        """Return the ETag of an object published under a free name.

        Raises:
            PreconditionError: the name is taken, perhaps by this very call, its reply lost.
            StaleError: the source changed.
        """
        self.abandon(new.mark)
        note = self._note(new.mark)
        others = self._unfinished(new.name)
        self._write_note(note, {"name": new.name, "others": others})
        reply = self._call("create_multipart_upload", new.name, **new.facts)
        upload_id = str(reply["UploadId"])
        try:
            self._write_note(note, {"name": new.name, "upload_id": upload_id})
            parts = list(self._parts(new, upload_id))
            published = self._call(
                "complete_multipart_upload",
                new.name,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
        except Exception:
            # What cannot be cleaned up now keeps its note, for `abandon` to find.
            with contextlib.suppress(FileOrganizerError):
                self._abort(new.name, upload_id)
                self._call("delete_object", note)
            raise
        self._call("delete_object", note)
        return etag_of(published)

    def begin(self, name: str, *, mark: str, facts: Mapping[str, Any]) -> "PartUpload":
        """Begin an object of unknown size under a free name; its note is written first."""
        note = self._note(mark)
        self._write_note(note, {"name": name, "others": self._unfinished(name)})
        upload_id = str(self._call("create_multipart_upload", name, **facts)["UploadId"])
        self._write_note(note, {"name": name, "upload_id": upload_id})
        return PartUpload(self, name, upload_id, note)

    def send(self, name: str, upload_id: str, number: int, body: bytes) -> str:
        """Send one part and return its ETag."""
        reply = self._call(
            "upload_part",
            name,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ContentMD5=md5_header(body),
        )
        return etag_of(reply)

    def complete(self, upload: "PartUpload", etags: Sequence[str], *, is_exclusive: bool) -> str:
        """Publish an object of parts and return its ETag."""
        parts = [
            {"PartNumber": number, "ETag": f'"{etag}"'}
            for number, etag in enumerate(etags, start=1)
        ]
        condition = {"IfNoneMatch": "*"} if is_exclusive else {}
        reply = self._call(
            "complete_multipart_upload",
            upload.name,
            UploadId=upload.upload_id,
            MultipartUpload={"Parts": parts},
            **condition,
        )
        self._call("delete_object", upload.note)
        return etag_of(reply)

    def abort(self, upload: "PartUpload") -> None:
        """End an upload without an object."""
        self._abort(upload.name, upload.upload_id)
        self._call("delete_object", upload.note)

    def _parts(self, new: NewObject, upload_id: str) -> Iterator[Mapping[str, Any]]:
        """Yield what completing needs to know of each part."""
        send = self._sent if new.copy_from is None else self._copied
        for number, etag in enumerate(send(new, upload_id), start=1):
            yield {"PartNumber": number, "ETag": f'"{etag}"'}

    def _sent(self, new: NewObject, upload_id: str) -> Iterator[str]:
        part_bytes = max(PART_BYTES, -(-new.row.size_bytes // _MAX_PARTS))
        waiting = bytearray()
        number = 0
        for block in planned_blocks(new.source, new.row, new.expected):
            waiting += block
            while len(waiting) >= part_bytes:
                number += 1
                yield self.send(new.name, upload_id, number, bytes(waiting[:part_bytes]))
                del waiting[:part_bytes]
        if waiting:
            yield self.send(new.name, upload_id, number + 1, bytes(waiting))

    def _copied(self, new: NewObject, upload_id: str) -> Iterator[str]:
        bucket, name = new.copy_from or ("", "")
        size_bytes = new.row.size_bytes
        part_bytes = max(COPY_PART_BYTES, -(-size_bytes // _MAX_PARTS))
        for number, start in enumerate(range(0, size_bytes, part_bytes), start=1):
            end = min(start + part_bytes, size_bytes) - 1
            try:
                reply = self._call(
                    "upload_part_copy",
                    new.name,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySource={"Bucket": bucket, "Key": name},
                    CopySourceIfMatch=f'"{new.row.version}"',
                    CopySourceRange=f"bytes={start}-{end}",
                )
            except PreconditionError as error:
                raise StaleError(f"{printable(name)!r} changed while it was copied") from error
            yield etag_of(reply["CopyPartResult"])

    def _abort(self, name: str, upload_id: str) -> None:
        with contextlib.suppress(MissingError, UploadGoneError):
            self._call("abort_multipart_upload", name, UploadId=upload_id)

    # Notes of unfinished uploads: S3 lists uploads by key, but does not show their metadata

    def _note(self, mark: str) -> str:
        return f"{self._prefix}{STAGING}/{mark}"

    def _write_note(self, note: str, content: Mapping[str, object]) -> None:
        self._call("put_object", note, Body=json.dumps(content).encode())

    def remove_note(self, mark: str) -> None:
        """Remove the note of a finished upload, if it is there."""
        self._call("delete_object", self._note(mark))

    def abandon(self, mark: str) -> None:
        """Abort the upload that a mark left unfinished, and remove its note."""
        note = self._note(mark)
        try:
            body = self._calls.fetch(Bucket=self._bucket, Key=note, start=0, length=1 << 16).data
        except MissingError:
            return
        found = json.loads(body)
        name = str(found["name"])
        if "upload_id" in found:
            upload_ids = [str(found["upload_id"])]
        else:  # it crashed before the id was known: ours is the one that was not there before
            upload_ids = [id_ for id_ in self._unfinished(name) if id_ not in found["others"]]
        for upload_id in upload_ids:
            self._abort(name, upload_id)
        self._call("delete_object", note)

    def _unfinished(self, name: str) -> list[str]:
        """Return the ids of all unfinished uploads of one name, whoever began them."""
        reply = self._calls.call("list_multipart_uploads", Bucket=self._bucket, Prefix=name)
        uploads = reply.get("Uploads", ())
        return [str(upload["UploadId"]) for upload in uploads if upload["Key"] == name]


class PartUpload:
    """An object on its way, part by part."""

    def __init__(self, uploads: PartUploads, name: str, upload_id: str, note: str) -> None:
        self._uploads = uploads
        self.name = name
        self.upload_id = upload_id
        self.note = note
        self._etags: list[str] = []

    @property
    def count(self) -> int:
        """Parts sent so far."""
        return len(self._etags)

    def send(self, body: bytes) -> None:
        """Send the next part."""
        etag = self._uploads.send(self.name, self.upload_id, self.count + 1, body)
        self._etags.append(etag)

    def complete(self, *, is_exclusive: bool) -> str:
        """Publish the object and return its ETag."""
        return self._uploads.complete(self, self._etags, is_exclusive=is_exclusive)

    def abort(self) -> None:
        """End it without an object."""
        self._uploads.abort(self)
