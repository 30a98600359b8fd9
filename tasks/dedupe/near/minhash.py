"""The compiled heart of the search among texts: MinHashes, bands and exact Jaccard indices."""

# pyright: basic
# ruff: noqa: PLR0917 - compiled functions take arrays by position, in one loop

from typing import Any

import numba
import numpy as np

BINS = 128
"""Values of a MinHash: its estimate of a Jaccard index is within 0.09 for 19 of 20 texts."""
_BIN_SHIFT = 32 - 7
_EMPTY = np.uint32(0xFFFFFFFF)


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(value: Any) -> Any:  # pragma: no cover - compiled
    """SplitMix64's finalizer (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def sketch(values: Any, starts: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Write the one-permutation MinHash of each set.

    The range of hashes is cut into bins and each keeps its smallest (Li, Owen, Zhang 2012, "One
    permutation hashing"); an empty bin borrows from a bin drawn by its own number (Shrivastava
    2017, "Optimal densification for fast and accurate minwise hashing").

    Args:
        values: all sets' values, one set after the other, uint32.
        starts: (n + 1,) where each set begins; none is empty.
        out: (n, `BINS`) uint32.
    """
    is_filled = np.empty(BINS, np.bool_)
    for item in range(len(starts) - 1):
        row = out[item]
        row[:] = _EMPTY
        is_filled[:] = False
        for place in range(starts[item], starts[item + 1]):
            mixed = np.uint32(_mixed(np.uint64(values[place])) >> np.uint64(32))
            chosen = np.int64(mixed >> np.uint32(_BIN_SHIFT))
            is_filled[chosen] = True
            row[chosen] = min(row[chosen], mixed)
        for empty in range(BINS):
            if is_filled[empty]:
                continue
            draw = np.uint64(empty)
            source = empty
            while not is_filled[source]:
                draw = _mixed(draw + np.uint64(0x9E3779B97F4A7C15))
                source = np.int64(draw % np.uint64(BINS))
            row[empty] = row[source]


@numba.njit(cache=True, nogil=True)
def band_keys(minhashes: Any, rows: int, out: Any) -> None:  # pragma: no cover - compiled
    """Write a 32-bit key for each band of `rows` values: (bands, n). Chance meets are verified."""
    for item in range(minhashes.shape[0]):
        for band in range(out.shape[0]):
            key = np.uint64(band)
            for place in range(band * rows, (band + 1) * rows):
                key = _mixed(key + np.uint64(minhashes[item, place]))
            out[band, item] = np.uint32(key >> np.uint64(32))


@numba.njit(cache=True, nogil=True)
def shared(one: Any, two: Any) -> int:  # pragma: no cover - compiled
    """Return how many values two ascending arrays of distinct values have in common."""
    i, j, count = 0, 0, 0
    while i < len(one) and j < len(two):
        a, b = one[i], two[j]
        count += a == b
        i += a <= b
        j += b <= a
    return count


@numba.njit(cache=True, nogil=True)
def candidates(
    content: int,
    groups: Any,
    group_starts: Any,
    members: Any,
    is_open: Any,
    seen: Any,
    minhashes: Any,
    rows: Any,
    counts: Any,
    least_alike: int,
    threshold: float,
    others: Any,
) -> int:  # pragma: no cover - compiled
    """Fill `others` with the open sets that may share enough of a set's values.

    Args:
        content: which set.
        groups: (g,) groups of candidates that it is in.
        group_starts: where each group begins in `members`.
        members: sets of all groups.
        is_open: (n,) bool.
        seen: (n,) int32 marks of whom a set was compared with last; the caller keeps them.
        minhashes: (n, `BINS`).
        rows: (n,) which of them is a set's.
        counts: (n,) sizes of the sets.
        least_alike: values of the MinHash that must be equal.
        threshold: Jaccard index, which bounds how different two sizes may be.
        others: (n,) int32 to fill.

    Returns:
        How many were filled.
    """
    filled = 0
    seen[content] = content
    own = minhashes[rows[content]]
    for group in groups:
        for place in range(group_starts[group], group_starts[group + 1]):
            other = members[place]
            if seen[other] == content or not is_open[other]:
                continue
            seen[other] = content
            fewer = min(counts[content], counts[other])
            if fewer < threshold * max(counts[content], counts[other]):
                continue
            row = minhashes[rows[other]]
            alike = 0
            for column in range(BINS):
                alike += own[column] == row[column]
            if alike >= least_alike:
                others[filled] = other
                filled += 1
    return filled
