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
from models.domain.near import NearMedia
from tasks.fingerprint import core
from tasks.fingerprint.content_types import Decision
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT
from tasks.fingerprint.ports import ByteSource, Parser, Signatures, Thumbnails
from tasks.fingerprint.reading import Buffer, Content, read_once
from tasks.fingerprint.signing import signature_of

HEAD_ONLY_BYTES = 256 * 1024
"""What a parser of headers is sent of a file; it asks for ranges when it needs more."""
RECORDING_BYTES = 8 * 1024 * 1024
"""What a decoder of sound or film is sent: a song is whole; of a film it asks what it needs."""
_HEADER_KINDS = frozenset({"audio", "mail", "ole", "raw", "video", "zip"})
_STREAMED_KINDS = frozenset({"audio", "video"})
"""Kinds whose decoders ask for the ranges they need."""
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
        sign: which of `NearMedia` are signed on the way, all of them decoded for that alone but
            still pictures, which always are.
    """

    latest: datetime
    threads: int
    read_gps: bool = False
    thumbnails: bool = True
    sign: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a batch reads from, asks, and keeps its findings in."""

    source: ByteSource
    parser: Parser
    thumbnails: Thumbnails
    signatures: Signatures


def fingerprint_rows(
    rows: Sequence[ManifestRow], ports: Ports, wishes: Wishes
) -> list[Fingerprint]:
    """Return one row for each file, sorted by key; a file that fails is a row with a problem.

    Each file is read once: hashes, facts, thumbnail and signature are made of the same bytes.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_fingerprint, ports=ports, wishes=wishes)
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
    row: ManifestRow, *, ports: Ports, wishes: Wishes
) -> tuple[Fingerprint, FileOrganizerError | None]:
    try:
        content = read_once(ports.source, row, _buffer())
    except FileOrganizerError as error:
        return core.unreadable(row, error), error
    decision = core.type_of(row, content, ports.parser.label)
    facts, thumbnail = _parse(row, content, decision, ports, wishes)
    made = core.fingerprint(
        row, content, decision, facts, latest=wishes.latest, thumbnail=thumbnail
    )
    return made, None


def _request(
    row: ManifestRow, content: Content, decision: Decision, ports: Ports, wishes: Wishes
) -> Request | None:
    """Return what to ask a parser of a content, or None when there is nothing to be learned."""
    is_document = NearMedia.DOCUMENT in wishes.sign and row.size_bytes <= LARGEST_DOCUMENT
    request = core.request_for(
        decision, row.size_bytes, read_gps=wishes.read_gps, has_words=is_document
    )
    if request is None:
        return None
    is_picture = request.kind in _PICTURE_KINDS
    is_signed = (
        is_picture
        or (request.kind in wishes.sign)
        or (is_document and request.kind in core.WORDY_KINDS)
    )
    return replace(
        request,
        thumbnail=wishes.thumbnails and is_picture and not ports.thumbnails.has(content.sha256),
        signature=is_signed and not ports.signatures.has(content.sha256),
        animation=NearMedia.IMAGE in wishes.sign,
    )


def _sent(request: Request, content: Content) -> memoryview:
    """Return the bytes of a content that its parser is sent; it asks for others it needs."""
    blob = memoryview(content.blob)
    if request.signature and request.kind in _STREAMED_KINDS:
        return blob[:RECORDING_BYTES]
    is_header = request.kind in _HEADER_KINDS or request.kind in _PICTURE_KINDS
    return blob[:HEAD_ONLY_BYTES] if is_header and not request.decodes else blob


def _parse(
    row: ManifestRow, content: Content, decision: Decision, ports: Ports, wishes: Wishes
) -> tuple[Facts, str | None]:
    """Return the facts of a file and the key of its thumbnail."""
    request = _request(row, content, decision, ports, wishes)
    if request is None:
        return {}, None

    def fetch(offset: int, count: int) -> bytes:
        end = offset + min(count, _RANGE_BYTES)
        if end <= len(content.blob):
            return bytes(content.blob[offset:end])
        return ports.source.read_range(row.key, offset, end - offset)

    parsed = ports.parser.parse(request, blob=_sent(request, content), fetch=fetch)
    if parsed.is_dead and request.signature:
        plain = replace(request, signature=False)  # what killed it may have been the signature
        parsed = ports.parser.parse(plain, blob=_sent(plain, content), fetch=fetch)
    if parsed.signature is not None:
        ports.signatures.put(signature_of(content.sha256, parsed.signature))
    has_thumbnail = request.kind in _PICTURE_KINDS and wishes.thumbnails and not request.thumbnail
    if parsed.thumbnail.startswith(b"RIFF"):
        ports.thumbnails.put(content.sha256, parsed.thumbnail)
        has_thumbnail = True
    return parsed.facts, core.thumbnail_uri(content.sha256) if has_thumbnail else None
