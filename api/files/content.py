"""Bytes of a file over HTTP: whole or a range, for whom a link or a token opens it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncEngine

from api.files.repository import Files
from api.files.service import MISSING, matches, one_file
from api.shell.database import account_transaction
from api.shell.problems import ProblemError
from models.domain.connections import Connection
from models.domain.errors import ConflictError, MissingError
from models.domain.files import StoredFile
from models.settings import Settings
from storage.access import access_to
from storage.opening import open_store
from storage.reaching import way_in
from storage.store import Store

CHUNK_BYTES = 1 << 20
"""Bytes read and sent at a time: what one download holds of a file."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_SAFE = re.compile(r"[^A-Za-z0-9!#$&+.^_`|~ -]")
"""Characters that a quoted file name of RFC 6266 cannot hold as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which bytes: from `first` on, `length` of `total`."""

    first: int
    length: int
    total: int

    @property
    def is_part(self) -> bool:
        """Whether it is less than all."""
        return self.length != self.total


async def found_file(
    engine: AsyncEngine, account_id: str, file_id: str
) -> tuple[StoredFile, Connection | None]:
    """Return a file and how its storage is reached.

    Raises:
        MissingError: there is no such file of this account.
    """
    async with account_transaction(engine, account_id) as connection:
        files = Files(connection, account_id)
        file = await one_file(files, file_id)
        way = None if file.is_managed else await files.connection_of(file.root_id)
        if way is None and not file.is_managed:
            raise MissingError(MISSING)
        return file, way


def content_tag(file: StoredFile) -> str:
    """Return the entity tag of a file's bytes: equal bytes, equal tag."""
    return f'"{file.sha256 or file.storage_version}"'


def span_of(header: str | None, total: int) -> Span:
    """Return what a Range header asks for (RFC 9110, section 14).

    What is no single range of bytes asks for everything.

    Raises:
        ProblemError: 416: it lies outside.
    """
    found = _RANGE.match(header.strip()) if header else None
    if found is None or found.group(1) == found.group(2) == "":
        return Span(first=0, length=total, total=total)
    first_text, last_text = found.groups()
    if not first_text:
        first, last = max(0, total - int(last_text)), total - 1
    else:
        first = int(first_text)
        last = min(int(last_text), total - 1) if last_text else total - 1
        if last_text and int(last_text) < first:
            return Span(first=0, length=total, total=total)
    if first >= total or last < first:
        raise ProblemError(
            416, "the range lies outside of the file", headers={"Content-Range": f"bytes */{total}"}
        )
    return Span(first=first, length=last - first + 1, total=total)


def is_unchanged(file: StoredFile, headers: Mapping[str, str]) -> bool:
    """Return whether who asks has the bytes already."""
    given = headers.get("if-none-match")
    return given is not None and matches(given, content_tag(file))


def asked_span(file: StoredFile, headers: Mapping[str, str]) -> Span:
    """Return which bytes a request asks for; all, where its `If-Range` names other bytes."""
    condition = headers.get("if-range")
    is_same = condition is None or condition.strip() == content_tag(file)
    return span_of(headers.get("range") if is_same else None, file.size_bytes)


def headers_of(file: StoredFile, span: Span) -> dict[str, str]:
    """Return the headers of an answer with bytes.

    Always a download, never a page: what somebody uploaded is not shown under our name.
    """
    plain = _SAFE.sub("_", file.filename)
    name = quote(file.filename, safe="")
    headers = {
        "ETag": content_tag(file),
        "Accept-Ranges": "bytes",
        "Content-Length": str(span.length),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=0, must-revalidate",
    }
    if span.is_part:
        last = span.first + span.length - 1
        headers["Content-Range"] = f"bytes {span.first}-{last}/{span.total}"
    return headers


async def bytes_of(
    settings: Settings, file: StoredFile, way: Connection | None, span: Span
) -> AsyncGenerator[bytes]:
    """Yield the bytes of a span; the file is opened before the first is asked for.

    Raises:
        MissingError: it is gone from its storage.
        ConflictError: it was changed in its folder since it was read.
    """
    opened = await asyncio.to_thread(_opened, settings, file, way, span)
    return _chunks(*opened, span)


def _opened(
    settings: Settings, file: StoredFile, way: Connection | None, span: Span
) -> tuple[Store, BinaryIO]:
    access = None if way is None else way_in(settings, way)
    with access_to({} if way is None or access is None else {way.root_url: access}):
        store = open_store(file.root_url, s3_endpoint_url=settings.s3_endpoint_url)
        try:
            _require_unchanged(store, file)
            return store, store.open(file.storage_key, offset=span.first)
        except BaseException:
            store.close()
            raise


def _require_unchanged(store: Store, file: StoredFile) -> None:
    row = store.stat(file.storage_key)
    is_same = file.is_managed or row.version == file.storage_version
    if row.size_bytes != file.size_bytes or not is_same:
        raise ConflictError("it was changed in its folder; index the folder again")


async def _chunks(store: Store, stream: BinaryIO, span: Span) -> AsyncGenerator[bytes]:
    left = span.length
    try:
        while left > 0:
            piece = await asyncio.to_thread(stream.read, min(CHUNK_BYTES, left))
            if not piece:
                raise ConflictError("the file became shorter while it was sent")
            left -= len(piece)
            yield piece
    finally:
        stream.close()
        store.close()
