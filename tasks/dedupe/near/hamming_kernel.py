"""The compiled heart of the Hamming join: buckets against their neighbors."""

# pyright: basic
# Numba compiles these for the types of their arguments; an intrinsic gets one argument less.
# ruff: noqa: PLR0917, C901 - compiled functions take their arrays by position and are one loop

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

BAND_BITS = 16
"""Bits of a band: about log2 of the number of hashes is fastest (Norouzi et al. 2012, section 3.2);
16 serves ten thousand to a hundred million within a factor of two."""
BUCKETS = 1 << BAND_BITS
BANDS_PER_WORD = 64 // BAND_BITS


def _popcount(_typing: Any, value: Any) -> Any:
    """Return how many bits of a 64-bit word are one; one instruction of the processor."""
    del value

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount: Any = intrinsic(_popcount)


@numba.njit(cache=True, nogil=True, inline="always")
def _distance(left: Any, right: Any, one: int, two: int) -> Any:  # pragma: no cover - compiled
    total = np.int64(0)
    for word in range(left.shape[1]):
        total += np.int64(popcount(left[one, word] ^ right[two, word]))
    return total


@numba.njit(cache=True, nogil=True)
def _is_first(
    left: Any, right: Any, one: int, two: int, band: int, radii: Any
) -> bool:  # pragma: no cover - compiled
    """Whether no earlier band finds the pair."""
    for earlier in range(band):
        word = earlier // BANDS_PER_WORD
        shift = np.uint64(BAND_BITS * (earlier % BANDS_PER_WORD))
        flipped = ((left[one, word] ^ right[two, word]) >> shift) & np.uint64(BUCKETS - 1)
        if np.int64(popcount(flipped)) <= radii[earlier]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def join(
    left_starts: Any,
    left_rows: Any,
    left: Any,
    right_starts: Any,
    right_rows: Any,
    right: Any,
    first: int,
    last: int,
    band: int,
    radius: int,
    radii: Any,
    masks: Any,
    is_self: bool,
    out: Any,
) -> Any:  # pragma: no cover - compiled
    """Fill `out` with (left row, right row, distance) of buckets `first` to `last`.

    Returns:
        How many were filled, and the bucket to go on with: `last` when done, `first` when a single
        bucket has more than fits.
    """
    filled = 0
    for bucket in range(first, last):
        begun = filled
        if left_starts[bucket] == left_starts[bucket + 1]:
            continue
        for flip in range(masks.shape[0]):
            neighbor = bucket ^ masks[flip]
            if is_self and neighbor < bucket:
                continue
            start, end = right_starts[neighbor], right_starts[neighbor + 1]
            for one in range(left_starts[bucket], left_starts[bucket + 1]):
                if is_self and neighbor == bucket:
                    start = one + 1
                for two in range(start, end):
                    distance = _distance(left, right, one, two)
                    if distance > radius:
                        continue
                    if not _is_first(left, right, one, two, band, radii):
                        continue
                    if filled == out.shape[0]:
                        return begun, bucket
                    low, high = left_rows[one], right_rows[two]
                    if is_self and low > high:
                        low, high = high, low
                    out[filled, 0] = low
                    out[filled, 1] = high
                    out[filled, 2] = distance
                    filled += 1
    return filled, last


@numba.njit(cache=True, nogil=True)
def compare_all(
    left: Any, right: Any, first: int, last: int, radius: int, is_self: bool, out: Any
) -> Any:  # pragma: no cover - compiled
    """Fill `out` with (left row, right row, distance) of left rows `first` to `last`.

    Returns:
        As `join`, with rows in place of buckets.
    """
    filled = 0
    for one in range(first, last):
        begun = filled
        for two in range(one + 1 if is_self else 0, right.shape[0]):
            distance = _distance(left, right, one, two)
            if distance > radius:
                continue
            if filled == out.shape[0]:
                return begun, one
            out[filled, 0] = one
            out[filled, 1] = two
            out[filled, 2] = distance
            filled += 1
    return filled, last
