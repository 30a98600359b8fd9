"""One batch: read, hash, parse, in a few threads that share the children."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from models.domain.errors import BusyError, FileOrganizerError
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ManifestRow
from tasks.fingerprint import core
from tasks.fingerprint.content_types import Decision
from tasks.fingerprint.parsing import Facts
from tasks.fingerprint.ports import ByteSource, Parser, Thumbnails
from tasks.fingerprint.reading import Buffer, Content, read_once

HEAD_ONLY_BYTES = 256 * 1024
"""What a parser of headers is sent of a file; it asks for ranges when it needs more."""
_HEADER_KINDS = frozenset({"audio", "mail", "ole", "raw", "video", "zip"})
_PICTURE_KINDS = frozenset({"image"})
"""Kinds with a thumbnail. Asking the lake for those of others took a quarter of a small file."""
_RANGE_BYTES = 1 << 20
_BUSY_RATIO = 0.5
"""Above this share of busy files it is the storage that is busy, not some files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a batch is to find out.

    Attributes:
        latest: naive; clocks after it are wrong.
        threads: files in work at a time.
    """

    latest: datetime
    threads: int
    read_gps: bool = False
    thumbnails: bool = True


def fingerprint_rows(
    rows: Sequence[ManifestRow],
    *,
    source: ByteSource,
    parser: Parser,
    thumbnails: Thumbnails,
    wishes: Wishes,
) -> list[Fingerprint]:
    """Return one row for each file, sorted by key; a file that fails is a row with a problem.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_fingerprint, source=source, parser=parser, thumbnails=thumbnails, wishes=wishes)
    with ThreadPoolExecutor(wishes.threads, thread_name_prefix="fingerprint") as threads:
        outcomes = list(threads.map(work, rows))
    busy = [error for _, error in outcomes if isinstance(error, BusyError)]
    if busy and len(busy) > _BUSY_RATIO * len(rows):
        raise busy[0]
    return sorted((made for made, _ in outcomes), key=lambda made: made.key)


_threads = threading.local()


def _buffer() -> Buffer:
    """Return the buffer of this thread; it ends with it."""
    if not hasattr(_threads, "buffer"):
        _threads.buffer = Buffer()
    return _threads.buffer


def _fingerprint(
    row: ManifestRow,
    *,
    source: ByteSource,
    parser: Parser,
    thumbnails: Thumbnails,
    wishes: Wishes,
) -> tuple[Fingerprint, FileOrganizerError | None]:
    try:
        content = read_once(source, row, _buffer())
    except FileOrganizerError as error:
        return core.unreadable(row, error), error
    decision = core.type_of(row, content, parser.label)
    facts, thumbnail = _parse(row, content, decision, source, parser, thumbnails, wishes)
    made = core.fingerprint(
        row, content, decision, facts, latest=wishes.latest, thumbnail=thumbnail
    )
    return made, None


def _parse(  # noqa: PLR0917 - one file's way through the ports
    row: ManifestRow,
    content: Content,
    decision: Decision,
    source: ByteSource,
    parser: Parser,
    thumbnails: Thumbnails,
    wishes: Wishes,
) -> tuple[Facts, str | None]:
    """Return the facts of a file and the key of its thumbnail."""
    request = core.request_for(decision, row.size_bytes, read_gps=wishes.read_gps)
    if request is None:
        return {}, None
    has_thumbnail = False
    if wishes.thumbnails and request.kind in _PICTURE_KINDS:
        has_thumbnail = thumbnails.has(content.sha256)
        request = replace(request, thumbnail=not has_thumbnail)
    blob = memoryview(content.blob)
    if request.kind in _HEADER_KINDS or (request.kind == "image" and not request.thumbnail):
        blob = blob[:HEAD_ONLY_BYTES]

    def fetch(offset: int, count: int) -> bytes:
        end = offset + min(count, _RANGE_BYTES)
        if end <= len(content.blob):
            return bytes(content.blob[offset:end])
        return source.read_range(row.key, offset, end - offset)

    parsed = parser.parse(request, blob=blob, fetch=fetch)
    if parsed.thumbnail.startswith(b"RIFF"):
        thumbnails.put(content.sha256, parsed.thumbnail)
        has_thumbnail = True
    return parsed.facts, core.thumbnail_uri(content.sha256) if has_thumbnail else None
