"""Films that show the same at the same times, whatever their codec, size or letterbox."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.domain.near import MINIMUM_QUALITY
from tasks.dedupe.near.columns import as_words, blobs, numbers, texts
from tasks.dedupe.near.hamming import distinct, matches_within
from tasks.dedupe.near.stars import Proof

FILM_THRESHOLD = 0.5
"""`1 - mean PDQ distance / 128`: unrelated pictures differ in half of the 256 bits and have 0; the
paper calls distances up to 31 (0.76) the same picture. A mean of three or more moments varies less:
a large logo over a test film leaves 0.58, a small one 0.87."""
FRAME_RADIUS = 8
"""Bits of a frame's pHash in which candidates are looked for."""
LEAST_FRAMES = 3
"""Informative times that two films must share; shorter films are not compared."""
_OVERLAP = 0.8
"""Share of both films that the alignment must cover: an excerpt is no copy."""
_VOTES = 3
"""Offsets tried, the ones with the most agreeing frames first."""


class FilmSearch:
    """Candidates by the pHashes of single frames, proofs by PDQ at all common times.

    Attributes:
        contents: SHA-256 of each content, ascending.
        threshold: likeness that two films must have.
    """

    shown = None

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        *,
        threshold: float | None = None,
        radius: int = FRAME_RADIUS,
        workers: int = 1,
    ) -> None:
        """Find the candidates.

        Args:
            batches: rows of `FilmFrame`, any order.
            threshold: 0 to 1; `FILM_THRESHOLD` when None.
            radius: bits of a frame's pHash.
            workers: threads.
        """
        given = list(batches)
        table = pa.Table.from_batches(given) if given else None
        self.threshold = FILM_THRESHOLD if threshold is None else threshold
        rows = table.sort_by([("sha256", "ascending"), ("at_ms", "ascending")]) if table else None
        if rows is None or not rows.num_rows:
            self.contents: list[str] = []
            return
        owners = texts(rows, "sha256")
        self.contents = sorted(set(owners))
        position = {sha256: n for n, sha256 in enumerate(self.contents)}
        self._content_of = np.array([position[owner] for owner in owners], np.int64)
        self._at = numbers(rows, "at_ms")
        self._duration = numbers(rows, "duration_ms")
        self._is_clear = numbers(rows, "quality") >= MINIMUM_QUALITY
        self._pdq = as_words(blobs(rows, "pdq"), 4)
        phashes = as_words(blobs(rows, "phash"), 1)
        self._hash, self._bucket_of = distinct(phashes)
        self._find(radius, workers)

    def _find(self, radius: int, workers: int) -> None:
        """Keep for each distinct hash which distinct hashes are near."""
        near: list[list[int]] = [[] for _ in self._hash]
        for match in matches_within(self._hash, self._hash, radius, workers=workers):
            for left, right in zip(match.left.tolist(), match.right.tolist(), strict=True):
                near[left].append(right)
        self._near = near
        clear = np.flatnonzero(self._is_clear)
        self._members: dict[int, list[int]] = {}
        for row in clear.tolist():
            self._members.setdefault(int(self._bucket_of[row]), []).append(row)

    def _rows_of(self, content: int) -> NDArray[np.int64]:
        first, last = np.searchsorted(self._content_of, [content, content + 1])
        return np.arange(first, last)

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterator[Proof]:
        """Yield the proofs of open contents that show the same at the same times."""
        votes: dict[int, dict[int, int]] = {}
        for row in self._rows_of(content)[self._is_clear[self._rows_of(content)]].tolist():
            for bucket in self._near[int(self._bucket_of[row])]:
                for other in self._members.get(bucket, ()):
                    owner = int(self._content_of[other])
                    if owner != content and is_open[owner]:
                        offset = int(self._at[row] - self._at[other])
                        tally = votes.setdefault(owner, {})
                        tally[offset] = tally.get(offset, 0) + 1
        for other, tally in sorted(votes.items()):
            offsets = sorted(tally, key=lambda offset: (-tally[offset], abs(offset), offset))
            found = max(
                (self._likeness(content, other, offset) for offset in offsets[:_VOTES]),
                default=(0.0, 0),
            )
            if found[0] >= self.threshold:
                words = f"{found[1]} moments agree: {1 - found[0]:.0%} off on the scale of chance"
                yield Proof(other, round(found[0], 4), round(128 * (1 - found[0])), words)

    def _likeness(self, one: int, two: int, offset: int) -> tuple[float, int]:
        """Return how alike two films are at an offset in ms, and at how many moments."""
        rows_one, rows_two = self._rows_of(one), self._rows_of(two)
        span_one, span_two = self._duration[rows_one[0]], self._duration[rows_two[0]]
        shared_ms = min(span_one, span_two + offset) - max(0, offset)
        if shared_ms < _OVERLAP * max(span_one, span_two):
            return 0.0, 0
        _, at_one, at_two = np.intersect1d(
            self._at[rows_one], self._at[rows_two] + offset, return_indices=True
        )
        left, right = rows_one[at_one], rows_two[at_two]
        clear = self._is_clear[left] & self._is_clear[right]
        count = int(clear.sum())
        if count < LEAST_FRAMES or 2 * count < len(left):
            return 0.0, count
        bits = np.bitwise_count(self._pdq[left[clear]] ^ self._pdq[right[clear]]).sum(axis=1)
        return max(0.0, 1 - float(bits.mean()) / 128), count
