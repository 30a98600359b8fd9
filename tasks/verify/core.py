"""Bit rot: bytes that changed although nobody wrote them."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from models.domain.errors import FileOrganizerError, Kind, MissingError
from models.domain.fingerprint import Fingerprint
from models.domain.manifest import ManifestRow
from models.domain.verification import Verdict, VerifiedRow
from storage.store import Store


def verified(store: Store, recorded: Iterable[Fingerprint], *, threads: int) -> list[VerifiedRow]:
    """Read files again and return what was found, in the order of `recorded`.

    Rot is content that differs while size and modification time are the recorded ones. Disks,
    cables and memory change bytes without touching the clock; whoever edits a file does. (The
    version token is no witness: on disk it holds the inode's change time, which restoring a
    modification time moves.) On object storage, where equal size and time cannot be told apart from
    an overwrite, the version decides: another version was written by somebody.

    Args:
        store: the root of the files.
        recorded: (n,) rows of the catalog; those without a hash were never read and are left out.
        threads: reads at once; hashing releases the interpreter's lock.

    Returns:
        At most (n,) rows.

    Raises:
        MissingError: the root itself is gone.
        BusyError: the storage does not answer; try again.
    """
    store.identity()
    known = (row for row in recorded if row.sha256 is not None)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(partial(_verified, store), known))


def _verified(store: Store, recorded: Fingerprint) -> VerifiedRow:
    try:
        before = store.stat(recorded.key)
        found = store.hash(recorded.key).sha256
    except MissingError:
        return _row(recorded, Verdict.MISSING, None, "it is not there")
    except FileOrganizerError as error:
        if error.kind is Kind.BUSY:
            raise
        return _row(recorded, Verdict.UNREADABLE, None, str(error))
    if found == recorded.sha256:
        return _row(recorded, Verdict.INTACT, found, "")
    if is_written(store, before, recorded):
        return _row(recorded, Verdict.EDITED, found, "it was written after it was recorded")
    return _row(
        recorded,
        Verdict.ROTTEN,
        found,
        "its bytes differ although its size and time do not: restore it from a backup",
    )


def is_written(store: Store, now: ManifestRow, recorded: ManifestRow) -> bool:
    """Return whether somebody wrote a file after it was recorded, by what storage says of it."""
    if now.size_bytes != recorded.size_bytes:
        return True
    if store.has_exact_times:
        return now.modified_ns != recorded.modified_ns
    return now.version != recorded.version


def _row(recorded: Fingerprint, verdict: Verdict, found: str | None, reason: str) -> VerifiedRow:
    return VerifiedRow(
        key=recorded.key,
        verdict=verdict,
        sha256_recorded=recorded.sha256 or "",
        sha256_found=found,
        size_bytes=recorded.size_bytes,
        reason=reason,
    )


def counted(rows: Iterable[VerifiedRow]) -> dict[str, int]:
    """Return the number of files by verdict, every verdict named."""
    counts = Counter(row.verdict for row in rows)
    return {verdict.value: counts[verdict.value] for verdict in Verdict}
