"""PDQ: a 256-bit perceptual hash of a picture, with a measure of how much there is to hash.

Source: Facebook 2019, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm"
(`hashing.pdf` in facebook/ThreatExchange). Written from the paper; equal to the `pdqhash` library
but for terms within rounding of the median (`bench/duplicates`: 50 of 50 photos to the bit).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Side of the averaged picture that is hashed (hashing.pdf, "PDQ")."""
BITS_SIDE = 16
"""Side of the block of DCT terms that become bits."""

_QUALITY_DIVISOR = 90
"""Scales the sum of gradients so that most photographs reach 100 (hashing.pdf)."""

Picture = NDArray[Any]


def dct_rows(count: int, size: int, *, first: int) -> Picture:
    """Return (count, size) float32 rows of the orthonormal DCT-II basis, from frequency `first`."""
    frequency = np.arange(first, first + count)[:, None]
    place = np.arange(size)[None, :]
    basis = np.sqrt(2 / size) * np.cos(np.pi / (2 * size) * frequency * (2 * place + 1))
    basis[frequency[:, 0] == 0] /= np.sqrt(2)
    return basis.astype(np.float32)


_BASIS = dct_rows(BITS_SIDE, SIDE, first=1)


@lru_cache(maxsize=256)
def _tent(length: int) -> Picture:
    """Return the (64, length) float32 weights of two box passes and of taking one sample a cell."""
    if length == SIDE:
        return np.eye(SIDE, dtype=np.float32)
    window = (length + 2 * SIDE - 1) // (2 * SIDE)
    ahead = (window + 2) // 2 - 1
    place = np.arange(length)
    first, last = place + ahead + 1 - window, np.minimum(place + ahead + 1, length)
    first = np.maximum(first, 0)
    samples = ((np.arange(SIDE) + 0.5) * length / SIDE).astype(np.intp)
    is_seen = (place >= first[samples, None]) & (place < last[samples, None])
    weights = is_seen / (is_seen.sum(axis=1, keepdims=True) * (last - first))
    sums = np.zeros((SIDE, length + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    begin, end = np.maximum(place - ahead, 0), np.minimum(place - ahead + window, length)
    return (sums[:, end] - sums[:, begin]).astype(np.float32)


def averaged(luminance: Picture) -> Picture:
    """Return the picture averaged to (64, 64) float32, values 0 to 255.

    Args:
        luminance: (rows, columns), 0 to 255; at least one of each, at most some thousand.
    """
    rows, columns = luminance.shape
    return _tent(rows) @ luminance.astype(np.float32) @ _tent(columns).T


def quality(small: Picture) -> int:
    """Return how much structure an averaged picture has, 0 (flat) to 100."""
    total = sum(
        int(np.abs((np.diff(small, axis=axis) * (100 / 255)).astype(np.int32)).sum())
        for axis in (0, 1)
    )
    return min(100, total // _QUALITY_DIVISOR)


def hash_of(small: Picture) -> bytes:
    """Return the 32 bytes of the PDQ hash of an averaged picture.

    Bit `16 * i + j`, counted from the least significant of the last byte (so the text in
    hexadecimal is the reference's), says whether the DCT term of vertical frequency `i + 1` and
    horizontal frequency `j + 1` is above the lower median.
    """
    terms = (_BASIS @ small @ _BASIS.T).ravel()
    half = terms.size // 2 - 1
    return np.packbits((terms > np.partition(terms, half)[half])[::-1]).tobytes()
