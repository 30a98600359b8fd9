"""pHash, dHash, and the hashes of what a copy may show of a picture."""

import itertools
from functools import cache

import numpy as np
from PIL import Image

from models.domain.near import CROPS, THUMB_SIDE, TILTS, TURNS, VARIANTS
from tasks.fingerprint.perceptual.pdq import Picture, dct_rows

_SIDE = 8
"""Terms a side that become bits (Krawetz 2011, "Looks Like It"; imagehash's `hash_size`)."""
_MIDDLE = slice(_SIDE * _SIDE // 2 - 1, _SIDE * _SIDE // 2 + 1)
"""The two terms whose mean is the median."""
_RESIZED = 32
"""Side of the picture that pHash transforms: imagehash's `hash_size * highfreq_factor`."""


def _bits(terms: Picture) -> Picture:
    """Return (n, 64) which terms are above the median of their own block of (n, 8, 8)."""
    flat = terms.reshape(-1, _SIDE * _SIDE)
    middle = np.sort(flat, axis=1)[:, _MIDDLE]
    return flat > middle.mean(axis=1, keepdims=True)


@cache
def _phash_basis() -> Picture:
    frequency, place = np.arange(_SIDE)[:, None], np.arange(_RESIZED)[None, :]
    return 2 * np.cos(np.pi / (2 * _RESIZED) * frequency * (2 * place + 1))


def phash(grey: Image.Image) -> bytes:
    """Return the 8 bytes of `imagehash.phash` of a grey picture."""
    small = np.asarray(grey.resize((_RESIZED, _RESIZED), Image.Resampling.LANCZOS), np.float64)
    basis = _phash_basis()
    return np.packbits(_bits(basis @ small @ basis.T)[0]).tobytes()


def dhash(grey: Image.Image) -> bytes:
    """Return the 8 bytes of `imagehash.dhash` of a grey picture."""
    small = np.asarray(grey.resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS))
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


@cache
def _signs() -> Picture:
    return np.where(np.arange(_SIDE) % 2 == 0, 1.0, -1.0).astype(np.float32)


def _turned(terms: Picture) -> list[Picture]:
    """Return the terms of the picture laid in the order of `TURNS`.

    A mirror changes the signs of odd frequencies, a transposition exchanges the directions: the
    picture is transformed once.
    """
    signs = _signs()
    across, down = signs[None, :], signs[:, None]
    found: list[Picture] = []
    for block in (terms, terms.T):
        found += [block, block * down, block * across, block * across * down]
    return found


@cache
def _crop_bases() -> tuple[Picture, Picture]:
    """Return for each crop the (8, 64) terms of its rows and of its columns."""
    basis = dct_rows(_SIDE, THUMB_SIDE, first=0)

    def resampled(share: float, start: float) -> Picture:
        place = (share * (np.arange(THUMB_SIDE) + 0.5) / THUMB_SIDE + start) * THUMB_SIDE - 0.5
        place = np.clip(place, 0, THUMB_SIDE - 1)
        low = np.minimum(place.astype(np.intp), THUMB_SIDE - 2)
        weights = np.zeros((THUMB_SIDE, THUMB_SIDE), np.float32)
        rows = np.arange(THUMB_SIDE)
        weights[rows, low] = 1 - (place - low)
        weights[rows, low + 1] = place - low
        return basis @ weights

    rows = np.stack([resampled(e, f) for _, _, _, _, e, f in CROPS])
    columns = np.stack([resampled(a, c) for a, _, c, _, _, _ in CROPS])
    return rows, columns


@cache
def _tilt_terms() -> Picture:
    """Return (tilts * 64, 1024) float32: what each pixel at half size adds to each term of a tilt.

    A tilt mixes rows with columns, so there is no basis for each; at half size all are one product
    of 2 MB, which stays in the cache. What a tilt lacks is black.
    """
    half = THUMB_SIDE // 2
    basis = dct_rows(_SIDE, half, first=0)
    both = np.kron(basis, basis)
    v, u = np.divmod(np.arange(half * half), half)
    u, v = (u + 0.5) / half, (v + 0.5) / half
    found: list[Picture] = []
    for a, b, c, d, e, f in TILTS:
        x, y = (a * u + b * v + c) * half - 0.5, (d * u + e * v + f) * half - 0.5
        weights = np.zeros((half * half, half * half), np.float32)
        left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
        for column, row in itertools.product((left, left + 1), (top, top + 1)):
            share = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            is_there = (column >= 0) & (column < half) & (row >= 0) & (row < half)
            pixel = row * half + column
            np.add.at(weights, (np.flatnonzero(is_there), pixel[is_there]), share[is_there])
        found.append(both @ weights)
    return np.concatenate(found)


def _halved(picture: Picture) -> Picture:
    """Return the (1024,) means of two by two pixels of (64, 64)."""
    rows = picture[0::2] + picture[1::2]
    return (0.25 * (rows[:, 0::2] + rows[:, 1::2])).ravel()


def variant_hashes(thumb: Picture) -> bytes:
    """Return one 64-bit hash for each of `VARIANTS`, little-endian, from the kept picture alone.

    Args:
        thumb: (64, 64) uint8.
    """
    basis = dct_rows(_SIDE, THUMB_SIDE, first=0)
    picture = thumb.astype(np.float32)
    rows, columns = _crop_bases()
    terms = np.concatenate(
        [
            np.stack(_turned(basis @ picture @ basis.T)),
            rows @ picture @ columns.transpose(0, 2, 1),
            (_tilt_terms() @ _halved(picture)).reshape(-1, _SIDE, _SIDE),
        ]
    )
    packed = np.packbits(_bits(terms), axis=1)
    return packed[:, ::-1].tobytes()


assert len(VARIANTS) == len(TURNS) + len(CROPS) + len(TILTS)  # noqa: S101 - order is the contract
