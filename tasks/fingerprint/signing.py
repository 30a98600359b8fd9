"""Signatures of contents at rest, and catching up with those that were read without one."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from models.domain.errors import BusyError, FileOrganizerError
from models.domain.fingerprint import Problem
from models.domain.near import SIGNATURE_VERSION, Content, NearMedia, Signature
from models.domain.near_payload import checked
from models.domain.table_refs import TableRef
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.ports import ByteSource, Parser, Signatures
from tasks.fingerprint.reading import KEPT_BYTES, WHOLE_BYTES
from warehouse.schemas.arrow import to_table
from warehouse.store.parts import Lake

_RANGE_BYTES = 1 << 20
_STARTS_ENOUGH = frozenset({"audio", "video"})
"""Kinds whose decoders ask for the ranges they need."""
_DIGEST_BYTES = 32
_FOLDER = f"signatures/v{SIGNATURE_VERSION}"
_INDEX = ".sha256s"
"""Beside each pack: the digests of its contents, 32 bytes each. Written last: the pack is whole."""


def _split(digests: bytes) -> Iterator[bytes]:
    return (digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES))


class _Index:
    """Which contents the packs of one lake hold; shared by the batches of this process."""

    def __init__(self) -> None:
        self.packs: dict[str, bytes] = {}
        self.known: set[bytes] = set()
        self._lock = threading.Lock()

    def refresh(self, lake: Lake) -> None:
        """Read what was added; start anew where a pack is gone."""
        names = {name for name in lake.names(_FOLDER) if name.endswith(_INDEX)}
        with self._lock:
            if not names >= self.packs.keys():
                self.packs, self.known = {}, set()
            for name in sorted(names - self.packs.keys()):
                self.packs[name] = lake.read_blob(f"{_FOLDER}/{name}")
                self.known.update(_split(self.packs[name]))


@cache
def _index_of(_lake_url: str) -> _Index:
    return _Index()


class LakeSignatures:
    """Packs of rows of `Signature` in the lake: one for each batch that signed something.

    A signature belongs to a content, wherever its files are, and to `SIGNATURE_VERSION`. One blob
    for each would cost as much as making it. A content can lie in two packs, when two batches met
    it at the same time; both rows are the same.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._index = _index_of(lake.url)
        self._index.refresh(lake)
        self._new: dict[str, Signature] = {}
        self._lock = threading.Lock()

    def has(self, sha256: str) -> bool:
        """Return whether a content was signed, or cannot be."""
        return sha256 in self._new or bytes.fromhex(sha256) in self._index.known

    def put(self, signature: Signature) -> None:
        """Take one, for the next `save`."""
        with self._lock:
            self._new[signature.sha256] = signature

    def save(self) -> None:
        """Write what was taken as one pack; equal contents make an equal pack."""
        with self._lock:
            rows, self._new = sorted(self._new.values(), key=lambda row: row.sha256), {}
        if not rows:
            return
        digests = b"".join(bytes.fromhex(row.sha256) for row in rows)
        name = f"{_FOLDER}/{hashlib.sha256(digests).hexdigest()[:32]}"
        uri = f"{name}.parquet"
        self._lake.write_part(to_table(rows, Signature), uri=uri, table_name="signatures")
        self._lake.write_blob(f"{name}{_INDEX}", digests)

    def packs_of(self, sha256s: Iterable[str]) -> list[TableRef]:
        """Return the packs that hold any of some contents, by name."""
        wanted = {bytes.fromhex(sha256) for sha256 in sha256s}
        packs = sorted(self._index.packs.items())
        names = [name for name, digests in packs if not wanted.isdisjoint(_split(digests))]
        uris = [f"{_FOLDER}/{name.removesuffix(_INDEX)}.parquet" for name in names]
        return [ref for uri in uris if (ref := self._lake.find(uri)) is not None]


def signature_of(sha256: str, made: bytes) -> Signature:
    """Return the row of what a child answered, checked to the byte: a child is not trusted."""
    payload, problem = checked(made)
    return Signature(sha256=sha256, version=SIGNATURE_VERSION, payload=payload, problem=problem)


def sign_contents(
    contents: Sequence[Content],
    *,
    source: ByteSource,
    parser: Parser,
    signatures: Signatures,
    threads: int,
) -> list[Signature]:
    """Sign what is not signed yet; return a row for each content that could not be, in order.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    missing = [content for content in contents if not signatures.has(content.sha256)]
    work = partial(_sign, source=source, parser=parser)
    failed: list[Signature] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="signing") as pool:
        for row, is_final in pool.map(work, missing):
            if is_final:
                signatures.put(row)
            if row.problem is not None:
                failed.append(row)
    return failed


def _sign(content: Content, *, source: ByteSource, parser: Parser) -> tuple[Signature, bool]:
    """Return a content's signature, and whether it would be the same at another try."""
    try:
        return _made(content, source, parser)
    except BusyError:
        raise
    except FileOrganizerError as error:
        problem = Problem.UNREADABLE.because(type(error).__name__)
    return _unsigned(content, problem), False


def _unsigned(content: Content, problem: str) -> Signature:
    return Signature(sha256=content.sha256, version=SIGNATURE_VERSION, payload=b"", problem=problem)


def _made(content: Content, source: ByteSource, parser: Parser) -> tuple[Signature, bool]:
    is_whole = content.size_bytes <= WHOLE_BYTES and content.kind not in _STARTS_ENOUGH
    count = content.size_bytes if is_whole else min(content.size_bytes, KEPT_BYTES)
    blob = source.read_range(content.key, 0, count)

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    kind = "text" if content.kind == NearMedia.DOCUMENT else content.kind
    request = Request(
        kind=kind,
        label=content.label,
        size_bytes=content.size_bytes,
        signature=True,
        animation=True,
    )
    parsed = parser.parse(request, blob=blob, fetch=fetch)
    if source.stat(content.key).version != content.version:
        return _unsigned(content, Problem.DEFERRED.because("it changed since it was read")), False
    if parsed.signature is None:
        reason = str(parsed.facts.get("problem") or Problem.UNSUPPORTED.because("nothing to sign"))
        return _unsigned(content, reason), not parsed.is_dead
    return signature_of(content.sha256, parsed.signature), True
