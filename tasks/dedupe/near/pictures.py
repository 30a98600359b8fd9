"""Pictures that are copies of one another, whatever was done to them."""

import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.domain.near import MINIMUM_QUALITY, THUMB_SIDE, VARIANTS
from tasks.dedupe.near.columns import blobs, numbers, texts
from tasks.dedupe.near.hamming import matches_within
from tasks.dedupe.near.registration import is_print, shared_detail
from tasks.dedupe.near.stars import Proof
from tasks.dedupe.near.thresholds import PRINT_WEIGHT, picture_radius, picture_threshold

CANDIDATE_LIMIT = 10_000_000
"""Candidates kept at most, 12 bytes each and five times as much while they are sorted; past it, the
radius is lowered by one and the search made again."""
TRIES = 3
"""Placements tried for a pair, the closest hashes first."""
ENOUGH = 0.95
"""A proof this good is not bettered by other placements."""

_PLACEMENTS = np.array(VARIANTS, np.float64)
_THUMB_BYTES = THUMB_SIDE * THUMB_SIDE
_ENTRY = np.dtype([("row", "<i4"), ("bucket", "<i4"), ("variant", "<i2"), ("distance", "<i2")])


class Views:
    """The views of all pictures worth comparing; thumbnails on disk, the rest in memory.

    Attributes:
        contents: SHA-256 of each content, ascending.
        content_of: (n,) which content a view belongs to.
        shown: (contents,) share of each picture that is inside its border, in [0, 1].
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], scratch: Path) -> None:
        """Read the views.

        Args:
            batches: rows of `PictureView`, in any order.
            scratch: an empty folder for thumbnails and hashes, 4.3 KiB a view; read on.
        """
        owners: list[NDArray[np.bytes_]] = [np.empty(0, "S64")]
        kinds: list[NDArray[np.int64]] = []
        shown: list[NDArray[np.int64]] = []
        path = scratch / "thumbs.bin"
        with path.open("wb") as sink, (scratch / "hashes.bin").open("wb") as hashes:
            for batch in batches:
                chosen = batch.filter(pc.field("quality") >= MINIMUM_QUALITY)
                owners.append(np.array(texts(chosen, "sha256"), "S64"))
                kinds.append(numbers(chosen, "view"))
                shown.append(numbers(chosen, "shown_permille"))
                hashes.writelines(blobs(chosen, "hashes"))
                sink.writelines(blobs(chosen, "thumb"))
        names, owned = np.unique(np.concatenate(owners), return_inverse=True)
        self.contents = [name.decode() for name in names.tolist()]
        order = np.lexsort((np.concatenate(kinds) if kinds else owned, owned))
        self.content_of = owned[order]
        self.shown = np.ones(len(names))
        if shown:
            self.shown[owned] = np.concatenate(shown) / 1000
        table = np.fromfile(scratch / "hashes.bin", "<u8")
        self._hashes = table.reshape(-1, len(VARIANTS))
        self._place = order
        self._thumbs = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._thumbs)

    def hashes(self, variant: int) -> NDArray[np.uint64]:
        """Return (n,) the hashes of one of `VARIANTS`."""
        return self._hashes[self._place, variant]

    def thumb(self, row: int) -> NDArray[np.uint8]:
        """Return the (64, 64) greys of a view."""
        # Read, not mapped: mapped pages would count as memory of this process.
        blob = os.pread(self._thumbs, _THUMB_BYTES, int(self._place[row]) * _THUMB_BYTES)
        return np.frombuffer(blob, np.uint8).reshape(THUMB_SIDE, THUMB_SIDE)

    def rows_of(self, content: int) -> range:
        """Return the views of a content."""
        first, last = np.searchsorted(self.content_of, [content, content + 1])
        return range(int(first), int(last))


class _Table:
    """Entries sorted by one of their columns, with where each value begins."""

    def __init__(self, entries: NDArray[np.void], column: str, values: int) -> None:
        order = np.argsort(entries[column], kind="stable")
        self.entries = entries[order]
        self.starts = np.searchsorted(self.entries[column], np.arange(values + 1))

    def of(self, value: int) -> NDArray[np.void]:
        return self.entries[self.starts[value] : self.starts[value + 1]]


class PictureSearch:
    """Candidates by hashes, proofs by registration.

    A view's hashes as a copy might show it are looked up among the hashes of all views as they are,
    equal ones collapsed to one bucket; so every pair is found from either side. What is found is
    proved by laying one kept picture on the other (`registration.shared_detail`).

    Attributes:
        contents: SHA-256 of each content, ascending.
        shown: share of each picture that is inside its border, in [0, 1].
        radius: bits in which candidates were looked for.
        threshold: detail that two pictures must share.
        candidates: entries found: views that may show what a bucket of views shows.
    """

    def __init__(
        self,
        views: Views,
        *,
        radius: int | None = None,
        threshold: float | None = None,
        workers: int = 1,
    ) -> None:
        """Find the candidates.

        Args:
            views: the pictures.
            radius: bits; by the collection's size when None.
            threshold: 0 to 1; by the number of candidates when None.
            workers: threads.
        """
        self.views = views
        self.contents = views.contents
        self.shown = views.shown
        buckets, bucket_of = np.unique(views.hashes(0), return_inverse=True)
        self._bucket_of = bucket_of.astype(np.int32)
        order = np.argsort(self._bucket_of, kind="stable")
        self._members = order
        self._member_starts = np.searchsorted(self._bucket_of[order], np.arange(len(buckets) + 1))
        self.radius = picture_radius(buckets, len(VARIANTS)) if radius is None else radius
        entries = self._entries(buckets, workers)
        while entries is None:
            self.radius -= 1
            entries = self._entries(buckets, workers)
        self.candidates = len(entries)
        self.threshold = picture_threshold(self.candidates) if threshold is None else threshold
        self._by_row = _Table(entries, "row", len(views.content_of))
        self._by_bucket = _Table(entries, "bucket", len(buckets))

    def _entries(self, buckets: NDArray[np.uint64], workers: int) -> NDArray[np.void] | None:
        """Return which view may show a bucket's, by which variants; None: there are too many."""
        parts: list[NDArray[np.void]] = []
        total = 0
        right = buckets[:, None]
        for variant in range(len(VARIANTS)):
            left = self.views.hashes(variant)[:, None]
            for match in matches_within(left, right, self.radius, workers=workers):
                part = np.empty(len(match.left), _ENTRY)
                part["row"], part["bucket"] = match.left, match.right
                part["variant"], part["distance"] = variant, match.distances
                parts.append(part)
                total += len(part)
                if total > CANDIDATE_LIMIT and self.radius > 0:
                    return None
        entries = np.concatenate(parts) if parts else np.empty(0, _ENTRY)
        keys = ("variant", "distance", "bucket", "row")
        entries = entries[np.lexsort([entries[key] for key in keys])]
        return entries[_rank_in_run(entries) < TRIES]

    def _rows(self, bucket: int) -> NDArray[np.intp]:
        return self._members[self._member_starts[bucket] : self._member_starts[bucket + 1]]

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterator[Proof]:
        """Yield the proofs of open contents that are copies of this one."""
        tries: dict[int, list[tuple[int, int, int, int]]] = {}
        of = self.views.content_of
        for row in self.views.rows_of(content):
            for entry in self._by_row.of(row):
                for other in self._rows(int(entry["bucket"])):
                    if is_open[of[other]] and of[other] != content:
                        found = tries.setdefault(int(of[other]), [])
                        found.append((int(entry["distance"]), int(entry["variant"]), row, other))
            for entry in self._by_bucket.of(int(self._bucket_of[row])):
                other = int(entry["row"])
                if is_open[of[other]] and of[other] != content:
                    found = tries.setdefault(int(of[other]), [])
                    found.append((int(entry["distance"]), int(entry["variant"]), other, row))
        for other, placements in sorted(tries.items()):
            placements.sort()
            detail = self._shared_detail(placements)
            if detail >= self.threshold:
                ratio = self._likeness(detail, content, other)
                words = f"{detail:.0%} of the fine detail is the same after aligning them"
                if ratio >= self.threshold:
                    yield Proof(other, round(ratio, 4), placements[0][0], words)

    def _likeness(self, detail: float, one: int, two: int) -> float:
        """Return the similarity ratio of two pictures; print that differs somewhere has less."""
        rows = (self.views.rows_of(content)[0] for content in (one, two))
        if all(is_print(self.views.thumb(row)) for row in rows):
            return max(0.0, 1 - PRINT_WEIGHT * (1 - detail))
        return detail

    def _shared_detail(self, placements: list[tuple[int, int, int, int]]) -> float:
        best = 0.0
        for _, variant, shown, target in placements[:TRIES]:
            thumbs = self.views.thumb(shown), self.views.thumb(target)
            best = max(best, float(shared_detail(*thumbs, _PLACEMENTS[variant])[0]))
            if best >= ENOUGH:
                break
        return min(best, 1.0)


def _rank_in_run(entries: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the place of each entry among those of its row and bucket; entries are sorted."""
    count = len(entries)
    is_new = np.ones(count, np.bool_)
    is_new[1:] = (entries["row"][1:] != entries["row"][:-1]) | (
        entries["bucket"][1:] != entries["bucket"][:-1]
    )
    place = np.arange(count)
    return place - np.maximum.accumulate(np.where(is_new, place, 0))
