"""All pairs of hashes within a Hamming distance, exactly, by multi-index hashing.

Source: Norouzi, Punjani, Fleet 2012, "Fast search in Hamming space with multi-index hashing".
Hashes are cut into bands of 16 bits. Of two hashes within distance r, some band differs by at most
`r // bands` bits (pigeonhole); with `r = bands * a + b`, either one of the first `b + 1` bands
differs by at most `a`, or another by at most `a - 1`. All neighbors of a bucket within that many
flips are compared with it, so recall is 1.0 by construction. A pair is told by the first band that
finds it, so once.

Nothing is ever dropped. Buckets are compared as runs of memory, so a hot one (blank pages,
screenshots) costs a nanosecond a comparison; callers collapse equal hashes first (`distinct`).
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.dedupe.near import hamming_kernel as kernel
from tasks.dedupe.near.hamming_kernel import BAND_BITS, BANDS_PER_WORD, BUCKETS

BLOCK_BUCKETS = 1 << 9
"""Buckets joined at a time: 128 blocks a band keep any number of cores busy."""
BUCKETS_WORTH = 1
"""Comparisons that a visit to a neighboring bucket costs, filled or not."""
BLOCK_ROWS = 1 << 10
"""Rows compared with all others at a time."""
_JOIN: Any = kernel.join  # compiled: its types are the arguments of each call
_COMPARE: Any = kernel.compare_all
FIRST_ROOM = 1 << 14
"""Pairs a block has room for at first; a block that finds more goes on with a new buffer."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Some pairs within the radius.

    Attributes:
        left: (m,) rows of the left hashes, ascending.
        right: (m,) rows of the right hashes, ascending for each left one.
        distances: (m,) bits by which they differ.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Hashes in the order of one band's value: where each bucket begins, their rows, themselves."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    hashes: Hashes


def _bucketed(hashes: Hashes, band: int) -> _Buckets:
    word, shift = hashes[:, band // BANDS_PER_WORD], BAND_BITS * (band % BANDS_PER_WORD)
    values = ((word >> np.uint64(shift)) & np.uint64(BUCKETS - 1)).astype(np.uint16)
    rows = np.argsort(values, kind="stable")  # radix sort for 16 bits
    starts = np.zeros(BUCKETS + 1, np.int64)
    np.cumsum(np.bincount(values, minlength=BUCKETS), out=starts[1:])
    return _Buckets(starts, rows, np.ascontiguousarray(hashes[rows]))


def band_radii(bands: int, radius: int) -> NDArray[np.int64]:
    """Return for each band up to how many flipped bits are looked up; -1: not at all."""
    whole, rest = divmod(radius, bands)
    return np.array([whole if band <= rest else whole - 1 for band in range(bands)], np.int64)


def _flips(largest: int) -> NDArray[np.int64]:
    """Return all masks of up to `largest` bits of a band, fewest first."""
    masks = [
        sum(1 << bit for bit in bits)
        for count in range(largest + 1)
        for bits in itertools.combinations(range(BAND_BITS), count)
    ]
    return np.array(masks, np.int64)


def _collected(
    step: Callable[[int, int, Any], tuple[int, int]], bounds: tuple[int, int]
) -> list[Matches]:
    """Return what a kernel finds in a range, with new room whenever it pauses."""
    found: list[Matches] = []
    place, last = bounds
    room = FIRST_ROOM
    while place < last:
        out = np.empty((room, 3), np.int64)
        count, reached = step(place, last, out)
        if count:
            part = out[:count]
            order = np.lexsort((part[:, 1], part[:, 0]))
            found.append(Matches(part[order, 0], part[order, 1], part[order, 2]))
        if reached == place:
            room *= 4  # one bucket alone has more pairs than there was room for
        place = reached
    return found


def _in_turn(
    run: Callable[[tuple[int, int]], list[Matches]], total: int, step: int, workers: int
) -> Iterator[Matches]:
    """Yield the matches of all ranges in order, a few ranges ahead."""
    ranges = iter([(first, min(first + step, total)) for first in range(0, total, step)])
    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(run, each) for each in itertools.islice(ranges, workers + 1)]
        while ahead:
            yield from ahead.pop(0).result()
            ahead += [pool.submit(run, each) for each in itertools.islice(ranges, 1)]


def _join(left: Hashes, right: Hashes | None, radius: int, workers: int) -> Iterator[Matches]:
    """Yield the pairs within the radius: band by band, or all by all where that is less."""
    bands = left.shape[1] * BANDS_PER_WORD
    radii = band_radii(bands, radius)
    flips = {band: _flips(int(radii[band])) for band in range(bands) if radii[band] >= 0}
    others = left if right is None else right
    if len(left) * len(others) <= BUCKETS_WORTH * BUCKETS * sum(map(len, flips.values())):

        def compare(bounds: tuple[int, int]) -> list[Matches]:
            return _collected(
                lambda first, last, out: _COMPARE(
                    left, others, first, last, radius, right is None, out
                ),
                bounds,
            )

        yield from _in_turn(compare, len(left), BLOCK_ROWS, workers)
        return
    for band, masks in flips.items():
        one = _bucketed(left, band)
        two = one if right is None else _bucketed(right, band)
        search = (band, radius, radii, masks, right is None)

        def join(
            bounds: tuple[int, int], one: _Buckets = one, two: _Buckets = two, search: Any = search
        ) -> list[Matches]:
            tables = (one.starts, one.rows, one.hashes, two.starts, two.rows, two.hashes)
            return _collected(
                lambda first, last, out: _JOIN(*tables, first, last, *search, out), bounds
            )

        yield from _in_turn(join, BUCKETS, BLOCK_BUCKETS, workers)


def matches_within(
    left: Hashes, right: Hashes, radius: int, *, workers: int = 1
) -> Iterator[Matches]:
    """Yield every (left, right) within the radius once; recall is 1.0, the order always the same.

    Args:
        left: (m, words) hashes of 64 bits a word.
        right: (n, words) hashes.
        radius: bits, at least 0.
        workers: threads; the order does not depend on them.
    """
    one = np.ascontiguousarray(left, dtype=np.uint64)
    yield from _join(one, np.ascontiguousarray(right, dtype=np.uint64), radius, workers)


def pairs_within(hashes: Hashes, radius: int, *, workers: int = 1) -> Iterator[Matches]:
    """Yield every two rows within the radius once, the smaller row on the left.

    Memory beside the hashes: 16 + 8 words bytes a hash, and the block at hand.

    Args:
        hashes: (n, words); give it distinct hashes, or pairs of equal ones are told too.
        radius: bits, at least 0.
        workers: threads; the order does not depend on them.
    """
    yield from _join(np.ascontiguousarray(hashes, dtype=np.uint64), None, radius, workers)


def distinct(hashes: Hashes) -> tuple[Hashes, NDArray[np.int64]]:
    """Return (m, words) the distinct hashes in order, and (n,) which of them each row has."""
    unique, inverse = np.unique(hashes, axis=0, return_inverse=True)
    return unique, inverse.reshape(-1).astype(np.int64)
