"""Texts that share most of their words, in whatever format they are."""

import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.dedupe.near import minhash as kernel
from tasks.dedupe.near.columns import blobs, texts
from tasks.dedupe.near.minhash import BINS
from tasks.dedupe.near.stars import Proof

TEXT_THRESHOLD = 0.7
"""Jaccard index of the shingles: one changed word touches three shingles, so about one word in
twelve may differ. Unrelated texts have less than 0.1 whatever their number, so it does not depend
on the collection's size."""
SHORT_SHINGLES = 16
"""Texts with fewer are copies only when all their words are the same: two of these, of eight words
each, may share most of them by chance of what people write."""
_BAND_ROWS = (8, 4, 2, 1)
_FOUND = 0.997
"""Chance with which a pair at the threshold must be a candidate; the longest bands that give it are
taken, for they have the fewest chance candidates: of `128 / r` bands of r values, one at least is
equal with chance `1 - (1 - J^r)^(128/r)` (Leskovec, Rajaraman, Ullman 2020, "Mining of Massive
Datasets", 3.4)."""
_SLACK = 0.25
"""How far the MinHash estimate may lie below the threshold: six standard deviations."""

_SKETCH: Any = kernel.sketch
_BAND_KEYS: Any = kernel.band_keys
_CANDIDATES: Any = kernel.candidates


def jaccard(one: NDArray[np.uint32], two: NDArray[np.uint32]) -> float:
    """Return the Jaccard index of two ascending arrays of distinct values."""
    both = int(kernel.shared(one, two))
    union = len(one) + len(two) - both
    return both / union if union else 0.0


def minhash_of(shingles: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return (128,) the MinHash of at least one shingle."""
    out = np.empty((1, BINS), np.uint32)
    _SKETCH(shingles, np.array([0, len(shingles)]), out)
    return out[0]


def rows_of_band(threshold: float) -> int:
    """Return the values of a band with which pairs at the threshold are found."""
    chances = ((rows, 1 - (1 - threshold**rows) ** (BINS // rows)) for rows in _BAND_ROWS)
    return next((rows for rows, chance in chances if chance >= _FOUND), 1)


class TextSearch:
    """Candidates by LSH bands of MinHashes, proofs by the Jaccard index of all shingles.

    Shingles and MinHashes are on disk; some 400 bytes a text stay in memory.

    Attributes:
        contents: SHA-256 of each content, ascending.
        threshold: Jaccard index that two texts must have.
    """

    shown = None

    def __init__(
        self, batches: Iterable[pa.RecordBatch], scratch: Path, *, threshold: float | None = None
    ) -> None:
        """Read the signatures.

        Args:
            batches: rows of `TextPrint`, any order, one a content.
            scratch: an empty folder for shingles and MinHashes; read while this lives.
            threshold: 0 to 1; `TEXT_THRESHOLD` when None.
        """
        self.threshold = TEXT_THRESHOLD if threshold is None else threshold
        rows = rows_of_band(self.threshold)
        owners, lengths, keys = self._read(batches, scratch, rows)
        order = np.array(sorted(range(len(owners)), key=owners.__getitem__), np.int64)
        self.contents = [owners[n] for n in order.tolist()]
        firsts = np.cumsum(lengths) - lengths
        self._firsts, self._counts = firsts[order], lengths[order]
        self._shingles = os.open(scratch / "shingles.bin", os.O_RDONLY)
        weakref.finalize(self, os.close, self._shingles)
        minhashes = _mapped(scratch / "minhashes.bin", np.uint32, len(order) * BINS)
        self._minhashes = minhashes.reshape(-1, BINS)
        self._row_of = order
        self._group(keys)
        self._seen = np.full(len(order), -1, np.int32)
        self._others = np.empty(len(order), np.int32)

    @staticmethod
    def _read(
        batches: Iterable[pa.RecordBatch], scratch: Path, rows: int
    ) -> tuple[list[str], NDArray[np.int64], NDArray[np.uint32]]:
        """Write shingles and MinHashes; return owners, shingles of each, and (bands, n) keys."""
        owners: list[str] = []
        lengths: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        keys: list[NDArray[np.uint32]] = [np.empty((BINS // rows, 0), np.uint32)]
        with (
            (scratch / "shingles.bin").open("wb") as shingles,
            (scratch / "minhashes.bin").open("wb") as minhashes,
        ):
            for batch in batches:
                parts = blobs(batch, "shingles")
                flat = b"".join(parts)
                owners += texts(batch, "sha256")
                counts = np.array([len(part) // 4 for part in parts], np.int64)
                out = np.empty((len(parts), BINS), np.uint32)
                starts = np.append(0, np.cumsum(counts))
                _SKETCH(np.frombuffer(flat, "<u4"), starts, out)
                key = np.empty((BINS // rows, len(parts)), np.uint32)
                _BAND_KEYS(out, rows, key)
                lengths.append(counts)
                keys.append(key)
                shingles.write(flat)
                minhashes.write(out.tobytes())
        return owners, np.concatenate(lengths), np.concatenate(keys, axis=1)

    def _group(self, keys: NDArray[np.uint32]) -> None:
        """Remember the contents that share a key of a band, and the groups of each content."""
        place = np.empty(len(self._row_of), np.int32)
        place[self._row_of] = np.arange(len(self._row_of), dtype=np.int32)
        members: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
        sizes: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for band in keys:
            order = np.argsort(band, kind="stable")
            is_new = np.ones(len(order) + 1, np.bool_)
            is_new[1:-1] = band[order[1:]] != band[order[:-1]]
            is_shared = ~(is_new[:-1] & is_new[1:])
            members.append(place[order[is_shared]])
            edges = np.append(np.flatnonzero(is_new[:-1][is_shared]), np.count_nonzero(is_shared))
            sizes.append(np.diff(edges))
        self._members = np.concatenate(members)
        size = np.concatenate(sizes)
        self._group_starts = np.append(0, np.cumsum(size))
        group = np.repeat(np.arange(len(size), dtype=np.int32), size)
        self._groups = group[np.argsort(self._members, kind="stable")]
        counts = np.bincount(self._members, minlength=len(self._row_of))
        self._own_groups = np.append(0, np.cumsum(counts))

    def shingles(self, content: int) -> NDArray[np.uint32]:
        """Return the shingles of a content, ascending."""
        # Read, not mapped: mapped pages would count as memory of this process.
        first, count = int(self._firsts[content]), int(self._counts[content])
        return np.frombuffer(os.pread(self._shingles, 4 * count, 4 * first), "<u4")

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterator[Proof]:
        """Yield the proofs of open contents with nearly the same words."""
        groups = self._groups[self._own_groups[content] : self._own_groups[content + 1]]
        if not len(groups):
            return
        least_alike = int(np.ceil((self.threshold - _SLACK) * BINS))
        tables = (self._group_starts, self._members, is_open, self._seen)
        sketches = (self._minhashes, self._row_of, self._counts)
        count = _CANDIDATES(
            content, groups, *tables, *sketches, least_alike, self.threshold, self._others
        )
        own = self.shingles(content)
        for other in np.sort(self._others[:count]).tolist():
            index = jaccard(own, self.shingles(other))
            is_short = min(self._counts[content], self._counts[other]) < SHORT_SHINGLES
            if index >= (1 if is_short else self.threshold):
                words = f"{index:.0%} of all runs of three words are the same"
                yield Proof(other, round(index, 4), -1, words)


def _mapped(path: Path, kind: type, count: int) -> NDArray[Any]:
    """Return the numbers of a file, read when they are asked for."""
    return np.asarray(np.memmap(path, kind, "r", shape=(count,))) if count else np.empty(0, kind)
