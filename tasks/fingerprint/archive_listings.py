"""Listings of archives: kept by content and version, made in the parsing children."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.archives import (
    LISTING_VERSION,
    ArchiveContent,
    ArchiveListing,
    Listing,
    pack_listing,
    unpack_listing,
)
from models.domain.errors import BusyError, FileOrganizerError, MissingError
from models.domain.fingerprint import Problem
from tasks.fingerprint.archive_formats import LABELS
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.ports import ByteSource, Parser
from tasks.fingerprint.reading import KEPT_BYTES
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.files import texts
from warehouse.store.parts import Lake

compute: Any = pc  # the stubs know too few of its overloads

WHOLE_BYTES = 8 * 1024 * 1024
"""Archives up to this size are handed over at once; of larger ones the child asks for ranges."""
AHEAD_BYTES = 8 * 1024 * 1024
"""Read of a large archive at a time: a request to S3 costs as much as 2 MB of transfer."""
BATCH_BYTES = 512 * 1024 * 1024
"""Archives looked through by one task: some 20 s of unpacking and hashing (DESIGN D4)."""
BATCH_ARCHIVES = 100


def archive_contents(fingerprints: pa.Table) -> pa.Table:
    """Return the archives of a root, one row for each content.

    Args:
        fingerprints: (n,) rows of `Fingerprint`, sorted by key.

    Returns:
        (k,) rows of `ArchiveContent`, sorted by content; the file is the first by key.
    """
    labels = pa.array(sorted(LABELS), pa.string())
    keep = compute.and_(
        compute.is_in(fingerprints["content_label"], value_set=labels),
        compute.is_valid(fingerprints["sha256"]),
    )
    names = ["sha256", "key", "content_label", "size_bytes", "version"]
    chosen = fingerprints.filter(keep).select(names)
    chosen = chosen.sort_by([("sha256", "ascending"), ("key", "ascending")]).combine_chunks()
    shas = texts(chosen, "sha256")
    first = [one != two for one, two in zip(shas, [None, *shas], strict=False)]
    schema = arrow_schema(ArchiveContent)
    renamed = chosen.filter(pa.array(first, pa.bool_())).rename_columns(schema.names)
    return renamed.cast(schema).combine_chunks()


def batches_of(sizes: Sequence[int], *, most: int) -> list[tuple[int, int]]:
    """Return [first, last) ranges of archives that are about one task's work each.

    Args:
        sizes: size of each archive in bytes, in order.
        most: ranges at most.
    """
    share = max(BATCH_BYTES, -(-2 * sum(sizes) // most))
    count = max(BATCH_ARCHIVES, -(-2 * len(sizes) // most))
    ranges: list[tuple[int, int]] = []
    first = held = 0
    for at, size in enumerate(sizes):
        if at > first and (held + size > share or at - first >= count):
            ranges.append((first, at))
            first, held = at, 0
        held += size
    if sizes:
        ranges.append((first, len(sizes)))
    return ranges


class Listings(Protocol):
    """Listings at rest, by the archive's content."""

    def get(self, sha256: str) -> bytes | None:
        """Return the payload of an archive; None when it was not made yet."""
        ...

    def put(self, sha256: str, payload: bytes) -> None:
        """Keep one. Repeating it changes nothing."""
        ...


class LakeListings:
    """`archives/v<version>/<first two digits>/<sha256>`: one for each content, wherever it is."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @staticmethod
    def _uri(sha256: str) -> str:
        return f"archives/v{LISTING_VERSION}/{sha256[:2]}/{sha256}"

    def get(self, sha256: str) -> bytes | None:
        """Return the payload of an archive; None when it was not made yet."""
        try:
            return self._lake.read_blob(self._uri(sha256))
        except MissingError:
            return None

    def put(self, sha256: str, payload: bytes) -> None:
        """Keep one."""
        self._lake.write_blob(self._uri(sha256), payload)


def list_archives(
    contents: Sequence[ArchiveContent],
    *,
    source: ByteSource,
    parser: Parser,
    kept: Listings,
    cpu_s: int,
    threads: int,
) -> list[ArchiveListing]:
    """Return one row for each archive, in the order given; none is ever an error.

    Args:
        contents: the archives.
        source: where they lie.
        parser: reads untrusted bytes.
        kept: what was listed before is not read again.
        cpu_s: CPU seconds the parser allows; what was cut short with fewer is tried again.
        threads: archives looked into at the same time.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_listed, source=source, parser=parser, kept=kept, cpu_s=cpu_s)
    with ThreadPoolExecutor(threads, thread_name_prefix="archives") as pool:
        return list(pool.map(work, contents))


def _listed(
    content: ArchiveContent, *, source: ByteSource, parser: Parser, kept: Listings, cpu_s: int
) -> ArchiveListing:
    payload = kept.get(content.sha256)
    if payload is None or not _is_final(payload, cpu_s):
        payload, is_kept = _made(content, source, parser, cpu_s)
        if is_kept:
            kept.put(content.sha256, payload)
    return ArchiveListing(sha256=content.sha256, version=LISTING_VERSION, payload=payload)


def _is_final(payload: bytes, cpu_s: int) -> bool:
    """Return whether another attempt would say the same."""
    try:
        listing = unpack_listing(payload)
    except ValueError:
        return False
    is_limited = listing.problem is not None and listing.problem.startswith(Problem.LIMITED)
    return not is_limited or listing.cpu_s >= cpu_s


def _made(
    content: ArchiveContent, source: ByteSource, parser: Parser, cpu_s: int
) -> tuple[bytes, bool]:
    """Return the payload of an archive, and whether it holds for its content."""
    try:
        return _asked(content, source, parser, cpu_s)
    except BusyError:
        raise
    except FileOrganizerError as error:
        problem = Problem.UNREADABLE.because(type(error).__name__)
    return pack_listing(Listing(problem=problem)), False


def _asked(
    content: ArchiveContent, source: ByteSource, parser: Parser, cpu_s: int
) -> tuple[bytes, bool]:
    ahead = _ReadAhead(content, source)
    count = min(
        content.size_bytes, WHOLE_BYTES if content.size_bytes <= WHOLE_BYTES else KEPT_BYTES
    )
    blob = source.read_range(content.key, 0, count)
    request = Request(kind="archive", label=content.label, size_bytes=content.size_bytes)
    parsed = parser.parse(request, blob=blob, fetch=ahead.fetch)
    if source.stat(content.key).version != content.version:
        problem = Problem.DEFERRED.because("it changed since it was read")
        return pack_listing(Listing(problem=problem)), False
    problem = parsed.facts.get("problem")
    if isinstance(problem, str) and problem:
        listing = Listing(problem=problem, cpu_s=cpu_s)
        return pack_listing(listing), problem.startswith((Problem.LIMITED, Problem.CORRUPT))
    try:
        listing = unpack_listing(parsed.thumbnail)
    except ValueError:
        problem = Problem.CORRUPT.because("its parser answered nonsense")
        return pack_listing(Listing(problem=problem)), False
    is_here_only = listing.problem is not None and listing.problem.startswith(Problem.UNSUPPORTED)
    return pack_listing(
        Listing(members=listing.members, problem=listing.problem, cpu_s=cpu_s)
    ), not is_here_only


class _ReadAhead:
    """Answers a child's questions for ranges from one longer range, mostly."""

    def __init__(self, content: ArchiveContent, source: ByteSource) -> None:
        self._content = content
        self._source = source
        self._at = 0
        self._held = b""

    def fetch(self, offset: int, count: int) -> bytes:
        """Return a range."""
        start = offset - self._at
        if not 0 <= start <= len(self._held) - count:
            wanted = min(max(AHEAD_BYTES, count), self._content.size_bytes - offset)
            self._held = self._source.read_range(self._content.key, offset, wanted)
            self._at, start = offset, 0
        return self._held[start : start + count]
