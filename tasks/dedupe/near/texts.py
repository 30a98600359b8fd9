"""Texts that share most of their words, in whatever format they are."""

from collections.abc import Iterable, Iterator
from typing import Any

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.domain.near import MINHASH_BINS
from tasks.dedupe.near.columns import blobs, texts
from tasks.dedupe.near.stars import Proof

TEXT_THRESHOLD = 0.7
"""Jaccard index of the shingles: one changed word touches three shingles, so about one word in
twelve may differ. Unrelated texts have less than 0.1 whatever their number, so it does not depend
on the collection's size."""
_ROWS_OF_BAND = 4
"""With 32 bands of 4, a pair of index 0.7 is a candidate with chance 0.9998 and one of 0.3 with
0.23 (Leskovec, Rajaraman, Ullman 2020, "Mining of Massive Datasets", 3.4)."""
_ROWS_BELOW = 0.6
"""Thresholds below this use 64 bands of 2: index 0.3 is found with chance 0.998."""
_SLACK = 0.25
"""How far the MinHash estimate may lie below the threshold: six standard deviations."""


@numba.njit(cache=True, nogil=True)
def _shared(one: Any, two: Any) -> int:  # pragma: no cover - compiled
    """Values that two ascending arrays have in common."""
    i, j, count = 0, 0, 0
    while i < len(one) and j < len(two):
        if one[i] == two[j]:
            count += 1
            i += 1
            j += 1
        elif one[i] < two[j]:
            i += 1
        else:
            j += 1
    return count


def jaccard(one: NDArray[np.uint32], two: NDArray[np.uint32]) -> float:
    """Return the Jaccard index of two ascending arrays of distinct values."""
    shared = int(_shared(one, two))
    union = len(one) + len(two) - shared
    return shared / union if union else 0.0


class TextSearch:
    """Candidates by LSH bands of MinHashes, proofs by the Jaccard index of all shingles.

    Attributes:
        contents: SHA-256 of each content, ascending.
        threshold: Jaccard index that two texts must have.
    """

    def __init__(
        self, batches: Iterable[pa.RecordBatch], *, threshold: float | None = None
    ) -> None:
        """Read the signatures.

        Args:
            batches: rows of `TextPrint`, any order, one a content.
            threshold: 0 to 1; `TEXT_THRESHOLD` when None.
        """
        owners: list[str] = []
        minhashes: list[bytes] = []
        shingles: list[bytes] = []
        for batch in batches:
            owners += texts(batch, "sha256")
            minhashes += blobs(batch, "minhash")
            shingles += blobs(batch, "shingles")
        order = sorted(range(len(owners)), key=owners.__getitem__)
        self.contents = [owners[n] for n in order]
        self.threshold = TEXT_THRESHOLD if threshold is None else threshold
        blob = b"".join(minhashes[n] for n in order)
        self._minhashes = np.frombuffer(blob, "<u4").reshape(-1, MINHASH_BINS)
        self._shingles = [shingles[n] for n in order]
        rows = _ROWS_OF_BAND if self.threshold >= _ROWS_BELOW else 2
        self._buckets: list[NDArray[np.int64]] = []
        self._of_content: dict[int, list[int]] = {}
        for band in range(0, MINHASH_BINS, rows):
            self._add_band(self._minhashes[:, band : band + rows])

    def _add_band(self, values: NDArray[np.uint32]) -> None:
        """Remember the buckets of one band that hold two contents or more."""
        if not len(values):
            return
        keys = np.zeros(len(values), np.uint64)
        for column in values.T:
            keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        starts, ends = np.append(0, edges), np.append(edges, len(order))
        for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
            members = order[start:end]
            for member in members.tolist():
                self._of_content.setdefault(member, []).append(len(self._buckets))
            self._buckets.append(members)

    def shingles(self, content: int) -> NDArray[np.uint32]:
        """Return the shingles of a content, ascending."""
        return np.frombuffer(self._shingles[content], "<u4")

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterator[Proof]:
        """Yield the proofs of open contents with nearly the same words."""
        buckets = self._of_content.get(content)
        if not buckets:
            return
        near = np.unique(np.concatenate([self._buckets[bucket] for bucket in buckets]))
        near = near[is_open[near] & (near != content)]
        alike = (self._minhashes[near] == self._minhashes[content]).mean(axis=1)
        for other in near[alike >= self.threshold - _SLACK].tolist():
            index = jaccard(self.shingles(content), self.shingles(other))
            if index >= self.threshold:
                words = f"{index:.0%} of all runs of three words are the same"
                yield Proof(other, round(index, 4), -1, words)
