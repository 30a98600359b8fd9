"""Bytes from outside on S3: one request while they are few, parts from 16 MiB on."""

from models.domain.errors import ExistsError, FileOrganizerError
from storage.intake import Intake, now_ns
from storage.keys import printable
from storage.s3_calls import PreconditionError
from storage.s3_parts import PART_BYTES, PartUpload
from storage.s3_writing import Uploads

_GROWTH_PARTS = 1000
"""Parts after which they become larger: 10,000 parts (the limit of S3) then hold 880 GB."""


class S3Intake(Intake):
    """One object; at most one part of it is in memory."""

    def __init__(self, name: str, *, mark: str, uploads: Uploads) -> None:
        super().__init__()
        self._name = name
        self._mark = mark
        self._uploads = uploads
        self._modified_ns = now_ns()
        self._waiting = bytearray()
        self._parts: PartUpload | None = None

    def _put(self, block: memoryview) -> None:
        self._waiting += block
        while len(self._waiting) > self._part_bytes:
            size = self._part_bytes
            self._send(bytes(self._waiting[:size]))
            del self._waiting[:size]

    @property
    def _part_bytes(self) -> int:
        sent = 0 if self._parts is None else self._parts.count
        return PART_BYTES * (1 + sent // _GROWTH_PARTS)

    def _send(self, body: bytes) -> None:
        if self._parts is None:
            self._parts = self._uploads.begin_parts(
                self._name, mark=self._mark, modified_ns=self._modified_ns
            )
        self._parts.send(body)

    def _finish(self) -> tuple[str, int]:
        try:
            if self._parts is None:
                body = bytes(self._waiting)
                version = self._uploads.put_body(
                    self._name, body, mark=self._mark, modified_ns=self._modified_ns
                )
            else:
                if self._waiting:
                    self._send(bytes(self._waiting))
                version = self._parts.complete(is_exclusive=self._uploads.is_exclusive)
        except FileOrganizerError as error:
            # The reply of a request that was carried out may have been lost.
            found = self._uploads.published(self._name, self._mark)
            if found is not None:
                return found, self._modified_ns
            if isinstance(error, PreconditionError):
                raise ExistsError(f"{printable(self._name)!r} was taken for a moment") from error
            raise
        return version, self._modified_ns

    def _remove(self) -> None:
        if self._parts is not None:
            self._parts.abort()
