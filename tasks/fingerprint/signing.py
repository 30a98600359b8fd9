"""Signatures of contents: kept by content and version, made in the parsing children."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from models.domain.errors import BusyError, FileOrganizerError, MissingError
from models.domain.fingerprint import Problem
from models.domain.near import SIGNATURE_VERSION, Content, Signature
from models.domain.near_payload import unpack
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.ports import ByteSource, Parser
from tasks.fingerprint.reading import KEPT_BYTES, WHOLE_BYTES
from warehouse.store.parts import Lake

_RANGE_BYTES = 1 << 20
_STARTS_ENOUGH = frozenset({"audio", "video"})
"""Kinds whose decoders ask for the ranges they need."""


class Signatures(Protocol):
    """Signatures at rest, by content."""

    def get(self, sha256: str) -> bytes | None:
        """Return the payload of a content; None when it was not made yet."""
        ...

    def put(self, sha256: str, payload: bytes) -> None:
        """Keep one. Repeating it changes nothing."""
        ...


class LakeSignatures:
    """`signatures/v<version>/<first two digits>/<sha256>`: one for each content, wherever it is."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @staticmethod
    def _uri(sha256: str) -> str:
        return f"signatures/v{SIGNATURE_VERSION}/{sha256[:2]}/{sha256}"

    def get(self, sha256: str) -> bytes | None:
        """Return the payload of a content; None when it was not made yet."""
        try:
            return self._lake.read_blob(self._uri(sha256))
        except MissingError:
            return None

    def put(self, sha256: str, payload: bytes) -> None:
        """Keep one; equal contents have equal ones."""
        self._lake.write_blob(self._uri(sha256), payload)


def sign_contents(
    contents: Sequence[Content],
    *,
    source: ByteSource,
    parser: Parser,
    kept: Signatures,
    threads: int,
) -> list[Signature]:
    """Return one row for each content, in the order given; none is ever an error.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_sign, source=source, parser=parser, kept=kept)
    with ThreadPoolExecutor(threads, thread_name_prefix="signing") as pool:
        return list(pool.map(work, contents))


def _sign(content: Content, *, source: ByteSource, parser: Parser, kept: Signatures) -> Signature:
    payload = kept.get(content.sha256)
    problem: str | None = None
    if payload is None:
        try:
            payload, problem = _made(content, source, parser)
        except BusyError:
            raise
        except FileOrganizerError as error:
            payload, problem = b"", Problem.UNREADABLE.because(type(error).__name__)
        else:
            if problem is None:
                kept.put(content.sha256, payload)
    return Signature(
        sha256=content.sha256, version=SIGNATURE_VERSION, payload=payload, problem=problem
    )


def _made(content: Content, source: ByteSource, parser: Parser) -> tuple[bytes, str | None]:
    """Return the payload of a content, checked, and what was wrong with it."""
    is_whole = content.size_bytes <= WHOLE_BYTES and content.kind not in _STARTS_ENOUGH
    count = content.size_bytes if is_whole else min(content.size_bytes, KEPT_BYTES)
    blob = source.read_range(content.key, 0, count)

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    request = Request(
        kind=f"near_{content.kind}", label=content.label, size_bytes=content.size_bytes
    )
    parsed = parser.parse(request, blob=blob, fetch=fetch)
    if source.stat(content.key).version != content.version:
        return b"", Problem.DEFERRED.because("it changed since it was read")
    problem = parsed.facts.get("problem")
    if isinstance(problem, str) and problem:
        return b"", problem
    payload = parsed.thumbnail
    try:
        unpack(payload, content.sha256)
    except ValueError as error:
        return b"", Problem.CORRUPT.because(f"its parser answered nonsense: {error}")
    return payload, None
