"""From shares of probability to how often such were right: isotonic regression. Pure.

Zadrozny, Elkan 2002, "Transforming classifier scores into accurate multiclass probability
estimates"; pool adjacent violators: Ayer et al. 1955, "An empirical distribution function for
sampling with incomplete information".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Calibration = tuple[tuple[float, float], ...]
"""Points (share, how often right), both rising; what lies between is on the line between them."""

LABELS_FOR_STEPS = 400
"""Held-out corrections from which steps do no harm: an error of .015 beside .012 by temperature
alone at 200, of .015 beside .016 at 400 (docs/categorization.md)."""
SMALLEST_STEP = 10
"""Held-out corrections in a step; fewer say nothing of a share."""


def steps(shares: Sequence[float] | NDArray[Any], is_right: NDArray[np.bool_]) -> Calibration:
    """Return how often shares were right, rising with them.

    Args:
        shares: (n,) in [0, 1].
        is_right: (n,) of each.
    """
    order = np.argsort(np.asarray(shares, np.float64), kind="stable")
    pools: list[tuple[float, float, float]] = []  # sum of shares, sum of right ones, how many
    for share, right in zip(np.asarray(shares)[order], is_right[order], strict=True):
        pools.append((float(share), float(right), 1.0))
        while len(pools) > 1 and (
            pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]
            or pools[-2][2] < SMALLEST_STEP
        ):
            pools[-2:] = [_sum(pools[-2], pools[-1])]
    if len(pools) > 1 and pools[-1][2] < SMALLEST_STEP:
        pools[-2:] = [_sum(pools[-2], pools[-1])]
    # One more right and one more wrong in each: no step is ever sure (Laplace's rule).
    return tuple((share / n, (right + 1) / (n + 2)) for share, right, n in pools)


def _sum(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float, float]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def calibrated(points: Calibration, share: float) -> float:
    """Return how often a share was right; the share itself where nothing is known."""
    if not points:
        return share
    places, values = zip((0.0, 0.0), *points, (1.0, max(points[-1][1], 1.0 - 1e-3)), strict=True)
    return float(np.interp(share, places, values))
