"""How alike is alike enough, for a collection of this size.

The number of pairs grows with the square of a collection, and with it the number of unrelated pairs
that look alike by chance. Two things are set from the size:

- the **radius** in which candidates are looked for. Distances of unrelated pictures are modeled as
  `Binomial(bits, p)`, with the effective number of bits and p fitted to the mean and variance of a
  sample of the collection's own pairs (Daugman 2004, "How iris recognition works", section 3:
  degrees of freedom `p (1 - p) / variance`); the radius is the largest whose expected number of
  unrelated candidates a picture can be afforded.
- the **threshold** of the second check. The correlation of unrelated candidates is normal after
  Fisher's transformation (Fisher 1921, "On the probable error of a coefficient of correlation");
  the threshold is where one false pair is expected among all candidates, and never below a floor.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LARGEST_RADIUS = 12
"""Of 64 bits. Of 200 crops of up to 15 % 98.5 % are within 12, 96 % within 10, 84 % within 8."""
SMALLEST_RADIUS = 4
"""Recompression and resizing stay within it (600 copies: at most 4)."""
AFFORDED_CANDIDATES = 24.0
"""Unrelated candidates a picture: at 0.3 ms each, the price of reading it once more."""
SAMPLED = 1500
"""Hashes sampled for the model: more than a million pairs."""

PICTURE_FLOOR = 0.85
"""Between the lowest copy of 12 kinds (first percentile 0.88) and the highest of 800 pairs of
different pictures with close hashes (0.80: two white shirts on red)."""
PRINT_WEIGHT = 7.5
"""How often what two pictures of print (`registration.is_print`) do not share counts, for little
of a page is print. Different pages of text share up to 0.90 of their detail, forms filled in
differently 0.95 in the median and 0.975 in 19 of 20, two screenshots one cell apart 0.95; copies of
pages 0.997 in the median and 0.974 in 19 of 20. The floor of pictures, 0.85, stands for 0.98 here.
"""
_UNRELATED_MEAN = 0.365
_UNRELATED_DEVIATION = 0.213
"""Fisher-transformed detail of unrelated candidates: 223 pairs of 200 photos of clothes on plain
ground, which are harder than most."""
_HIGHEST = 0.97


def effective_binomial(mean: float, variance: float) -> tuple[float, float]:
    """Return the (bits, p) of the binomial with a mean and variance given as shares of the bits."""
    p = min(max(mean, 1e-6), 1 - 1e-6)
    return p * (1 - p) / max(variance, 1e-9), p


def _tail(radius_share: float, bits: float, p: float) -> float:
    """Return P(distance <= share), by the normal approximation with continuity correction."""
    deviation = math.sqrt(p * (1 - p) / bits)
    return NormalDist(p, deviation).cdf(radius_share + 0.5 / bits)


def chance_of_radius(hashes: NDArray[np.uint64], radius: int) -> float:
    """Return the chance that two unrelated 64-bit hashes of this collection are within a radius.

    Args:
        hashes: (n,) distinct hashes in ascending order; sampled evenly, so the answer is the same
            for the same collection.
        radius: bits.
    """
    if len(hashes) < 2:  # noqa: PLR2004 - a pair
        return 0.0
    step = max(1, len(hashes) // SAMPLED)
    sample = hashes[::step][:SAMPLED]
    distances = np.bitwise_count(sample[:, None] ^ sample[None, :])
    upper = distances[np.triu_indices(len(sample), 1)].astype(np.float64)
    unrelated = upper[upper > LARGEST_RADIUS]  # copies are no part of what chance does
    if not len(unrelated):
        return 1.0
    return _tail(radius / 64, *effective_binomial(unrelated.mean() / 64, unrelated.var() / 64**2))


def picture_radius(hashes: NDArray[np.uint64], variants: int, asked: int = LARGEST_RADIUS) -> int:
    """Return the largest radius whose unrelated candidates can be afforded.

    Args:
        hashes: (n,) distinct 64-bit hashes, ascending.
        variants: hashes of each picture that are looked up.
        asked: the largest that is wanted.
    """
    for radius in range(asked, SMALLEST_RADIUS, -1):
        if len(hashes) * variants * chance_of_radius(hashes, radius) <= AFFORDED_CANDIDATES:
            return radius
    return SMALLEST_RADIUS


def picture_threshold(candidates: int) -> float:
    """Return the detail two pictures must share, for the number of candidate pairs at hand."""
    if candidates < 2:  # noqa: PLR2004 - the quantile needs a chance below one half
        return PICTURE_FLOOR
    quantile = NormalDist().inv_cdf(1 - 1 / candidates)
    expected = math.tanh(_UNRELATED_MEAN + _UNRELATED_DEVIATION * quantile)
    return round(min(max(PICTURE_FLOOR, expected), _HIGHEST), 3)
