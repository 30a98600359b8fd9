"""What may be believed of a file just before it is moved or removed: preconditions and proofs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from models.domain.errors import BrokenError, ConflictError, MissingError, StaleError
from models.domain.manifest import ContentHash, ManifestRow
from models.domain.operations import Operation
from models.domain.paths import fold
from storage.store import Store
from tasks.apply.planned import CONSENT, KEEPER_AT, KEEPER_SHA256, KEEPER_URL

READ_BYTES = 1 << 20
"""Bytes per read while a grown file's beginning is compared; the size storage reads in too."""


class GrowingError(StaleError):
    """The source is being written; a later run takes it."""


class RootGoneError(BrokenError):
    """A whole root is gone: nothing may be concluded of any file of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A living file that was just read and has the content in question."""

    url: str
    key: str
    content: ContentHash
    read_at: str


def now() -> str:
    """Return the time of an observation for receipts, UTC in ISO 8601."""
    return datetime.now(UTC).isoformat()


def stat(store: Store, key: str) -> ManifestRow | None:
    """Return what storage says of a key, or None when nothing is there."""
    try:
        return store.stat(key)
    except MissingError:
        return None


def require_root(store: Store) -> None:
    """Refuse to conclude from absence when the root itself is absent.

    Raises:
        RootGoneError: as when a disk was unmounted; the job stops and resumes.
    """
    try:
        store.identity()
    except MissingError as error:
        raise RootGoneError(f"{store.url} is gone: mount it again, then resume the job") from error


def is_same_name(store: Store, one: str, other: str) -> bool:
    """Return whether two keys name one file in this store."""
    if store.folds_case or store.normalizes_unicode:
        return fold(one) == fold(other)
    return one == other


def holds(store: Store, key: str, operation: Operation) -> str | None:
    """Return the version at `key` if its bytes are the operation's content, else None."""
    row = stat(store, key)
    if row is None or row.size_bytes != operation.size_bytes:
        return None
    content = store.hash(key)
    return content.version if content.sha256 == operation.sha256 else None


def _has_grown(store: Store, operation: Operation) -> bool:
    """Return whether the planned content is the beginning of what is there now."""
    digest = hashlib.sha256()
    left = operation.size_bytes
    with store.open(operation.source_key) as stream:
        while left > 0 and (piece := stream.read(min(READ_BYTES, left))):
            digest.update(piece)
            left -= len(piece)
    return left == 0 and digest.hexdigest() == operation.sha256


def confirmed_version(store: Store, operation: Operation) -> str:
    """Return the version of the source, which has the planned content.

    An equal version is believed. Another version is read again: it may be the same content under
    a new token (permissions changed, another name was linked), and only content counts.

    Raises:
        MissingError: the source is not there.
        GrowingError: it changes while it is read, or was appended to since the scan.
        StaleError: it has other content now.
    """
    row = stat(store, operation.source_key)
    if row is None:
        raise MissingError("the source is gone")
    if row.version == operation.version and row.size_bytes == operation.size_bytes:
        return row.version
    if row.size_bytes == operation.size_bytes:
        content = read_content(store, operation.source_key)
        if content.sha256 == operation.sha256:
            return content.version
    elif row.size_bytes > operation.size_bytes > 0 and _has_grown(store, operation):
        raise GrowingError("the file is still being written")
    raise StaleError("the file was changed after the plan was made")


def read_content(store: Store, key: str) -> ContentHash:
    """Return the hashes of a full read.

    Raises:
        GrowingError: the file changed while it was read.
        MissingError: it is not there.
    """
    try:
        return store.hash(key)
    except StaleError as error:
        raise GrowingError("the file is still being written") from error


def keeper_places(operation: Operation) -> list[tuple[str, str]]:
    """Return (root, key) where the keeper may be: where it was scanned, where the plan puts it."""
    receipt = operation.receipt or {}
    places: list[tuple[str, str]] = []
    if operation.keeper_key is not None:
        places.append((operation.source_url, operation.keeper_key))
    if KEEPER_URL in receipt:
        places.append((receipt[KEEPER_URL], receipt[KEEPER_AT]))
    return places


def find_keeper(stores: Mapping[str, Store], operation: Operation) -> Keeper:
    """Return a living file with the member's content, read from beginning to end just now.

    Of a member that is only alike, the keeper must have the very content that it was compared with.

    The member itself is none, nor is another name of its bytes: a hardlink shares them, and a
    path given twice or a bind mount is the same file.

    Raises:
        ConflictError: no such file; the member must stay.
    """
    member = stat(stores[operation.source_url], operation.source_key)
    reason = "no other copy is known"
    wanted = (operation.receipt or {}).get(KEEPER_SHA256, operation.sha256)
    for url, key in keeper_places(operation):
        store = stores[url]
        if url == operation.source_url and is_same_name(store, key, operation.source_key):
            reason = "the file to keep is the file to remove"
            continue
        row = stat(store, key)
        if row is None:
            reason = "the file to keep is gone"
            continue
        if member is not None and _is_same_file(row, member):
            reason = "the file to keep is another name of the same bytes"
            continue
        content = read_content(store, key)
        if content.sha256 == wanted:
            return Keeper(url=url, key=key, content=content, read_at=now())
        reason = "the file to keep has other content now"
    raise ConflictError(f"{reason}, so this copy stays")


def _is_same_file(one: ManifestRow, other: ManifestRow) -> bool:
    return one.inode is not None and (one.device, one.inode) == (other.device, other.inode)


def is_still(stores: Mapping[str, Store], keeper: Keeper) -> bool:
    """Return whether the keeper is still the version that was read."""
    row = stat(stores[keeper.url], keeper.key)
    return row is not None and row.version == keeper.content.version


def last_copy_proof(stores: Mapping[str, Store], operation: Operation) -> tuple[str, Keeper | None]:
    """Return the version of a member that may be removed, and who keeps its content.

    Both are read afresh and whole: equal size and time prove nothing (scenario 21).

    Raises:
        ConflictError: the member must stay, and why.
        MissingError: the member is not there.
    """
    store = stores[operation.source_url]
    if stat(store, operation.source_key) is None:
        raise MissingError("the source is gone")
    content = read_content(store, operation.source_key)
    if content.sha256 != operation.sha256:
        raise StaleError("the file was changed after the plan was made")
    if CONSENT in (operation.receipt or {}):
        return content.version, None
    return content.version, find_keeper(stores, operation)


def receipt_of(operation: Operation, version: str, keeper: Keeper | None) -> dict[str, str]:
    """Return the proof in words: what was read, where and when."""
    receipt = {
        **(operation.receipt or {}),
        "member_sha256": operation.sha256,
        "member_size_bytes": str(operation.size_bytes),
        "member_version": version,
        "removed_at": now(),
    }
    if keeper is not None:
        receipt |= {
            "kept_url": keeper.url,
            "kept_key": keeper.key,
            "kept_sha256": keeper.content.sha256,
            "kept_size_bytes": str(keeper.content.size_bytes),
            "kept_version": keeper.content.version,
            "kept_read_at": keeper.read_at,
        }
    return receipt
