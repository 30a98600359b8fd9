"""Every request to S3, in one object; tests put a failing or crashing one in its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.domain.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    FileOrganizerError,
    ForbiddenError,
    InvalidError,
    MissingError,
)
from storage.access import S3Access
from storage.keys import printable

CONNECT_TIMEOUT_S = 10
"""A server that does not take a connection in this time is busy."""

READ_TIMEOUT_S = 60
"""Longest silence within a reply; a server-side copy of one part stays below it."""

_ATTEMPTS = 4
"""Tries of one request, with botocore's backoff and jitter between."""

_CONNECTIONS = 32
"""Connections kept per store, for as many threads."""

_DISCARD_BYTES = 1 << 20
_SERVER_ERROR = 500
_TOO_MANY = 429


class PreconditionError(ConflictError):
    """An `If-Match` or `If-None-Match` did not hold; the caller knows what that means."""


class UploadGoneError(BusyError):
    """The upload was ended, perhaps by another worker; begin again."""


class RangeError(InvalidError):
    """The object ends before the range asked for."""


class NotImplementedByServerError(BrokenError):
    """The server does not know this request, or one of its headers."""


_KINDS: tuple[tuple[frozenset[str], type[FileOrganizerError], str], ...] = (
    (
        frozenset(
            {
                "ConditionalRequestConflict",
                "InternalError",
                "OperationAborted",
                "RequestTimeout",
                "RequestTimeTooSkewed",
                "ServiceUnavailable",
                "SlowDown",
                "Throttling",
                "TooManyRequests",
            }
        ),
        BusyError,
        "is behind a busy server; try again",
    ),
    (frozenset({"NoSuchUpload"}), UploadGoneError, "was being uploaded, and no longer is"),
    (frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"}), MissingError, "is not there"),
    (
        frozenset(
            {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
        ),
        ForbiddenError,
        "may not be touched: check the AWS_ variables of the environment and the bucket's policy",
    ),
    (frozenset({"412", "PreconditionFailed"}), PreconditionError, "is in another state"),
    (frozenset({"416", "InvalidRange"}), RangeError, "ends before the range asked for"),
    (frozenset({"501", "NotImplemented"}), NotImplementedByServerError, "cannot be done there"),
)
"""Error codes of the S3 API reference, and the bare statuses of HeadObject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A part of an object."""

    data: bytes
    total_bytes: int
    """Size of the whole object."""
    etag: str


class S3Calls:
    """Requests of one account to one endpoint; usable from many threads.

    Args:
        endpoint_url: S3-compatible server; AWS when None.
        read_timeout_s: longest silence within a reply.
        access: keys of a connection, with its own endpoint; those of the environment when None.
    """

    def __init__(
        self,
        endpoint_url: str | None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        access: S3Access | None = None,
    ) -> None:
        import s3fs

        endpoint_url = endpoint_url if access is None else access.endpoint_url
        self.endpoint_url = endpoint_url
        own: dict[str, Any] = {}
        if access is not None:
            own = {"key": access.access_key_id, "secret": access.secret_access_key}
            if access.region:
                own["client_kwargs"] = {"region_name": access.region}
        style = "auto" if endpoint_url is None else "path"
        self._files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint_url,
            **own,
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "read_timeout": read_timeout_s,
                "max_pool_connections": _CONNECTIONS,
                "retries": {"mode": "standard", "max_attempts": _ATTEMPTS},
                "s3": {"addressing_style": style},
                "signature_version": "s3v4",
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
        )

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the reply to one request, named as in botocore (`head_object`).

        Raises:
            MissingError, ForbiddenError, BusyError, PreconditionError, InvalidError, BrokenError:
                what S3 or the network said.
        """

        async def send() -> Mapping[str, Any]:
            client = await self._files.set_session()
            return await getattr(client, operation)(**arguments)

        return self._run(send, arguments)

    def fetch(self, *, start: int, length: int, **arguments: Any) -> Fetched:
        """Return at most `length` bytes of an object from `start` on.

        Raises:
            RangeError: the object ends before `start`, or is empty.
            MissingError, ForbiddenError, BusyError, PreconditionError: see `call`.
        """

        async def send() -> Fetched:
            client = await self._files.set_session()
            wanted = f"bytes={start}-{start + length - 1}"
            reply = await client.get_object(Range=wanted, **arguments)
            async with reply["Body"] as body:
                if "ContentRange" in reply:
                    total = int(reply["ContentRange"].rpartition("/")[2])
                    data = await body.read()
                else:  # some servers answer a range with everything
                    total = int(reply["ContentLength"])
                    await _discard(body, min(start, total))
                    data = await _read_exactly(body, min(length, max(0, total - start)))
            return Fetched(data=data, total_bytes=total, etag=etag_of(reply))

        return self._run(send, arguments)

    def _run(self, send: Any, arguments: Mapping[str, Any]) -> Any:
        from aiohttp import ClientError as TransportError
        from botocore.exceptions import BotoCoreError, ClientError
        from fsspec.asyn import sync
        from fsspec.exceptions import FSTimeoutError

        what = str(arguments.get("Key") or arguments.get("Bucket"))
        try:
            return sync(self._files.loop, send)
        except ClientError as error:
            raise translated(error.response, what) from error
        except BotoCoreError as error:
            raise _translated_local(error, what) from error
        except (TransportError, FSTimeoutError, TimeoutError, OSError) as error:
            raise BusyError(f"S3 did not answer for {what!r}; try again") from error

    def close(self) -> None:
        """Close the connections."""
        creator = getattr(self._files, "_s3creator", None)
        if creator is not None:
            self._files.close_session(self._files.loop, creator)
            self._files._s3 = None  # noqa: SLF001 - s3fs has no public way to let go of a client
            self._files._s3creator = None  # noqa: SLF001 - the same


async def _discard(body: Any, count: int) -> None:
    while count > 0:
        chunk = await body.read(min(count, _DISCARD_BYTES))
        if not chunk:
            return
        count -= len(chunk)


async def _read_exactly(body: Any, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        chunk = await body.read(count - len(data))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def etag_of(reply: Mapping[str, Any]) -> str:
    """Return the ETag without its quotes: a version token, never a content's identity."""
    return str(reply.get("ETag", "")).strip('"')


def _kind_of(code: str, status: int) -> tuple[type[FileOrganizerError], str]:
    """Return the error and its text for an error code of S3's list, or else for a status."""
    for codes, kind, text in _KINDS:
        if code in codes:
            return kind, text
    if status >= _SERVER_ERROR or status == _TOO_MANY:
        return BusyError, "is behind a server that fails at the moment; try again"
    return InvalidError, "was asked for in a way S3 does not accept"


def translated(reply: Mapping[str, Any], what: str) -> FileOrganizerError:
    """Return the error for what S3 answered."""
    code = str(reply.get("Error", {}).get("Code", ""))
    status = int(reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind, text = _kind_of(code, status)
    return kind(f"{printable(what)!r} {text} ({code or status})")


def _translated_local(error: Exception, what: str) -> FileOrganizerError:
    """Return the error for what botocore says before or instead of a reply."""
    from botocore.exceptions import (
        ConnectionError as BotoConnectionError,
    )
    from botocore.exceptions import (
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    if isinstance(error, (HTTPClientError, BotoConnectionError)):
        return BusyError(f"S3 did not answer for {what!r}; check the endpoint, then try again")
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return ForbiddenError(
            "no S3 credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE"
        )
    return InvalidError(f"the S3 request for {what!r} could not be made: {error}")
