"""Whether an S3 server can be trusted not to overwrite: asked of itself, once."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from models.domain.errors import ForbiddenError
from models.domain.organizing import RESERVED_PREFIX
from storage.s3_calls import NotImplementedByServerError, PreconditionError, S3Calls

LIFE_S = 3600.0
"""A probe takes seconds; what is older than an hour was left by a crash."""

_PROBE = "probe-"


class ConditionalWrites:
    """Asks by writing one key of our own twice, whole and in parts; the key is removed again.

    Some servers (`rclone serve s3` among them) take `If-None-Match: *` and overwrite all the same.
    """

    def __init__(self, calls: S3Calls, bucket: str, prefix: str) -> None:
        self._calls = calls
        self._bucket = bucket
        self._prefix = prefix
        self._is_supported: bool | None = None

    def require(self) -> None:
        """Refuse to write to a server that may overwrite.

        Raises:
            ForbiddenError: it does.
        """
        if not self.is_supported():
            raise ForbiddenError(
                "this S3 server ignores If-None-Match, so that a file could be overwritten unseen; "
                "nothing was written. Use a server with conditional writes (AWS, MinIO, R2) or a "
                "local folder as the destination"
            )

    def is_supported(self) -> bool:
        """Return whether writing a taken name is refused."""
        if self._is_supported is None:
            self._is_supported = self._probe()
        return self._is_supported

    def _call(self, operation: str, name: str, **arguments: Any) -> Mapping[str, Any]:
        return self._calls.call(operation, Bucket=self._bucket, Key=name, **arguments)

    def _probe(self) -> bool:
        name = f"{self._prefix}{RESERVED_PREFIX}/{_PROBE}{secrets.token_hex(8)}"
        try:
            self._call("put_object", name, Body=b"1")
            return self._is_put_refused(name) and self._is_complete_refused(name)
        except NotImplementedByServerError:
            return False
        finally:
            self._call("delete_object", name)

    def tidy(self) -> None:
        """Remove what crashed probes left, once no probe can still be under way."""
        start = f"{self._prefix}{RESERVED_PREFIX}/{_PROBE}"
        begun_before = datetime.now(UTC) - timedelta(seconds=LIFE_S)
        reply = self._calls.call("list_objects_v2", Bucket=self._bucket, Prefix=start)
        for found in reply.get("Contents", ()):
            if found["LastModified"] < begun_before:
                self._call("delete_object", str(found["Key"]))
        reply = self._calls.call("list_multipart_uploads", Bucket=self._bucket, Prefix=start)
        for found in reply.get("Uploads", ()):
            if found["Initiated"] < begun_before:
                upload_id = str(found["UploadId"])
                self._call("abort_multipart_upload", str(found["Key"]), UploadId=upload_id)

    def _is_put_refused(self, name: str) -> bool:
        try:
            self._call("put_object", name, Body=b"2", IfNoneMatch="*")
        except PreconditionError:
            return True
        return False

    def _is_complete_refused(self, name: str) -> bool:
        upload_id = str(self._call("create_multipart_upload", name)["UploadId"])
        try:
            part = self._call("upload_part", name, UploadId=upload_id, PartNumber=1, Body=b"3")
            self._call(
                "complete_multipart_upload",
                name,
                UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
                IfNoneMatch="*",
            )
        except PreconditionError:
            self._call("abort_multipart_upload", name, UploadId=upload_id)
            return True
        return False
