"""Lay one small picture on another and say how much of their detail is the same.

Gauss-Newton over the six numbers of an affine placement and a gain and offset of brightness (Lucas,
Kanade 1981; Baker, Matthews 2004, "Lucas-Kanade 20 years on", the compositional form), first at
half size, then at full size; then the correlation of both pictures' detail where they overlap.
"""

# ruff: noqa: PLR2004 - pixel centers and the eight unknowns of the compiled loops

from typing import Any

import numba
import numpy as np

COARSE_STEPS = 10
FINE_STEPS = 4
"""Steps at 32 and at 64 pixels; the median pair needs 3 and 2 to settle."""
LARGEST_SHIFT = 0.15
"""No corner may end farther than this share of a side from where the hashes put it: half the
distance between two tried tilts or crops is a third of that."""
SMALLEST_OVERLAP = 0.6
"""Share of the picture that must be covered by the other."""
_LARGEST_STEP = 0.08
_SETTLED = 1e-3
_EDGE = 3
"""Pixels left out at the sides, where frames, corners and blur differ."""
_WIDE_PASSES = 8
"""Binomial passes of variance 1/2 each: detail is what a blur of 2 pixels removes."""
_HOPELESS = 0.65
"""Correlation at half size, before anything is moved, below which pictures are not looked at: of
1,000 cropped, tilted, framed and watermarked copies the lowest was 0.725."""
_UNLIKE = 0.8
"""The same after moving; of the same copies the lowest was 0.873."""

PRINT_CONTRAST = 0.9
"""Of 30 pages of text the lowest has 0.99, forms 3.5; of 625 pictures a tenth has 1.1 or more."""
GROUND_SHARE = 0.5
GROUND_LEVELS = 17
"""Share of the picture whose greys lie this close together: pages 0.69 or more, forms 0.79,
screenshots 0.5, photos with as much contrast mostly below 0.4."""


@numba.njit(cache=True, nogil=True)
def _blurred(picture: Any, passes: int) -> Any:  # pragma: no cover - compiled
    """Binomial blur (1 2 1)/4 in both directions; sides repeat."""
    side = picture.shape[0]
    one = picture.copy()
    two = np.empty_like(one)
    for _ in range(passes):
        for i in range(side):
            for j in range(side):
                left, right = one[i, max(j - 1, 0)], one[i, min(j + 1, side - 1)]
                two[i, j] = 0.25 * (left + right) + 0.5 * one[i, j]
        for i in range(side):
            for j in range(side):
                above, below = two[max(i - 1, 0), j], two[min(i + 1, side - 1), j]
                one[i, j] = 0.25 * (above + below) + 0.5 * two[i, j]
    return one


@numba.njit(cache=True, nogil=True)
def is_print(picture: Any) -> bool:  # pragma: no cover - compiled
    """Return whether a picture is print on a plain ground: a page, a form, a screenshot.

    Its small picture has more variance in single pixels than in what is left after one blur of
    them, and most of it is of one grey.

    Args:
        picture: (64, 64) uint8.
    """
    one = picture.astype(np.float32)
    once, wide = _blurred(one, 1), _blurred(one, _WIDE_PASSES)
    side = picture.shape[0]
    single, detail = 0.0, 1e-9
    for i in range(_EDGE, side - _EDGE):
        for j in range(_EDGE, side - _EDGE):
            single += (one[i, j] - once[i, j]) ** 2
            detail += (once[i, j] - wide[i, j]) ** 2
    if single < PRINT_CONTRAST * detail:
        return False
    counts = np.zeros(256 + GROUND_LEVELS, np.int64)
    for i in range(side):
        for j in range(side):
            counts[picture[i, j]] += 1
    most, within = 0, 0
    for level in range(256):
        within += counts[level] - (counts[level - GROUND_LEVELS] if level >= GROUND_LEVELS else 0)
        most = max(most, within)
    return most >= GROUND_SHARE * side * side


@numba.njit(cache=True, nogil=True)
def _halved(picture: Any) -> Any:  # pragma: no cover - compiled
    half = picture.shape[0] // 2
    small = np.empty((half, half), np.float32)
    for i in range(half):
        for j in range(half):
            small[i, j] = 0.25 * (
                picture[2 * i, 2 * j]
                + picture[2 * i + 1, 2 * j]
                + picture[2 * i, 2 * j + 1]
                + picture[2 * i + 1, 2 * j + 1]
            )
    return small


@numba.njit(cache=True, nogil=True)
def _placed(picture: Any, at: Any, out: Any, covered: Any) -> None:  # pragma: no cover - compiled
    """Sample the picture at a placement, bilinearly; tell which pixels it covers."""
    side = picture.shape[0]
    last = side - 1
    for i in range(side):
        v = (i + 0.5) / side
        for j in range(side):
            u = (j + 0.5) / side
            x = (at[0] * u + at[1] * v + at[2]) * side - 0.5
            y = (at[3] * u + at[4] * v + at[5]) * side - 0.5
            covered[i, j] = -0.5 <= x <= last + 0.5 and -0.5 <= y <= last + 0.5
            x, y = min(max(x, 0.0), last - 1e-3), min(max(y, 0.0), last - 1e-3)
            k, n = int(y), int(x)
            p, q = x - n, y - k
            out[i, j] = (picture[k, n] * (1 - p) + picture[k, n + 1] * p) * (1 - q) + (
                picture[k + 1, n] * (1 - p) + picture[k + 1, n + 1] * p
            ) * q


@numba.njit(cache=True, nogil=True)
def _normal_equations(seen: Any, covered: Any, target: Any) -> Any:  # pragma: no cover - compiled
    """Sums of the linear problem for six placement numbers, gain and offset."""
    side = seen.shape[0]
    matrix = np.zeros((8, 8))
    vector = np.zeros(8)
    row = np.empty(8)
    for i in range(1, side - 1):
        v = (i + 0.5) / side - 0.5
        for j in range(1, side - 1):
            if not (covered[i - 1, j] and covered[i + 1, j]):
                continue
            if not (covered[i, j - 1] and covered[i, j + 1]):
                continue
            u = (j + 0.5) / side - 0.5
            across = (seen[i, j + 1] - seen[i, j - 1]) * 0.5 * side
            down = (seen[i + 1, j] - seen[i - 1, j]) * 0.5 * side
            row[0], row[1], row[2] = across * u, across * v, across
            row[3], row[4], row[5] = down * u, down * v, down
            row[6], row[7] = seen[i, j], 1.0
            for a in range(8):
                vector[a] += row[a] * target[i, j]
                for b in range(a, 8):
                    matrix[a, b] += row[a] * row[b]
    for a in range(8):
        for b in range(a):
            matrix[a, b] = matrix[b, a]
        matrix[a, a] = matrix[a, a] * (1.001 if a < 6 else 1.0) + 1e-6
    return matrix, vector


@numba.njit(cache=True, nogil=True)
def _refine(picture: Any, target: Any, at: Any, steps: int) -> None:  # pragma: no cover - compiled
    """Move a placement so that the picture looks like the target."""
    seen = np.empty_like(target)
    covered = np.empty(target.shape, np.bool_)
    for _ in range(steps):
        _placed(picture, at, seen, covered)
        matrix, vector = _normal_equations(seen, covered, target)
        solved = np.linalg.solve(matrix, vector)
        step = solved[:6] / max(solved[6], 0.2)
        largest = np.max(np.abs(step))
        if largest > _LARGEST_STEP:
            step *= _LARGEST_STEP / largest
        a, b, c = 1 + step[0], step[1], step[2] - 0.5 * (step[0] + step[1])
        d, e, f = step[3], 1 + step[4], step[5] - 0.5 * (step[3] + step[4])
        for first in (0, 3):
            x, y, z = at[first], at[first + 1], at[first + 2]
            at[first] = x * a + y * d
            at[first + 1] = x * b + y * e
            at[first + 2] = x * c + y * f + z
        if largest < _SETTLED:
            break


@numba.njit(cache=True, nogil=True)
def _correlation(one: Any, two: Any, covered: Any, edge: int) -> Any:  # pragma: no cover - compiled
    """Pearson correlation where covered, and the share of pixels that is."""
    side = one.shape[0]
    count, sum_one, sum_two = 0, 0.0, 0.0
    for i in range(edge, side - edge):
        for j in range(edge, side - edge):
            if covered[i, j]:
                count += 1
                sum_one += one[i, j]
                sum_two += two[i, j]
    share = count / ((side - 2 * edge) * (side - 2 * edge))
    if share < SMALLEST_OVERLAP:
        return 0.0, share
    mean_one, mean_two = sum_one / count, sum_two / count
    both, own_one, own_two = 0.0, 1e-9, 1e-9
    for i in range(edge, side - edge):
        for j in range(edge, side - edge):
            if covered[i, j]:
                p, q = one[i, j] - mean_one, two[i, j] - mean_two
                both += p * q
                own_one += p * p
                own_two += q * q
    return both / np.sqrt(own_one * own_two), share


@numba.njit(cache=True, nogil=True)
def _shift(one: Any, two: Any) -> float:  # pragma: no cover - compiled
    """How far apart two placements put a corner, at most."""
    largest = 0.0
    for u in (0.0, 1.0):
        for v in (0.0, 1.0):
            for first in (0, 3):
                x = one[first] * u + one[first + 1] * v + one[first + 2]
                y = two[first] * u + two[first + 1] * v + two[first + 2]
                largest = max(largest, abs(x - y))
    return largest


@numba.njit(cache=True, nogil=True)
def shared_detail(picture: Any, target: Any, start: Any) -> Any:  # pragma: no cover - compiled
    """Return how much detail a picture shares with a target, and how much of it is covered.

    Args:
        picture: (64, 64) uint8.
        target: (64, 64) uint8; it shows about what `start` shows of the picture.
        start: (6,) float64, a `Placement`.

    Returns:
        The correlation of detail after alignment (0 when they do not fit together), the
        correlation of the whole (structure and detail), and the share of the target covered.
    """
    one, two = picture.astype(np.float32), target.astype(np.float32)
    at = start.copy()
    small_one, small_two = _blurred(_halved(one), 1), _blurred(_halved(two), 1)
    seen = np.empty_like(small_two)
    covered = np.empty(small_two.shape, np.bool_)
    _placed(small_one, at, seen, covered)
    whole, share = _correlation(seen, small_two, covered, 1)
    if whole < _HOPELESS:
        return 0.0, whole, share
    _refine(small_one, small_two, at, COARSE_STEPS)
    _placed(small_one, at, seen, covered)
    whole, share = _correlation(seen, small_two, covered, 1)
    if whole < _UNLIKE or _shift(at, start) > LARGEST_SHIFT:
        return 0.0, whole, share
    fine_one, fine_two = _blurred(one, 1), _blurred(two, 1)
    _refine(fine_one, fine_two, at, FINE_STEPS)
    seen = np.empty_like(two)
    covered = np.empty(two.shape, np.bool_)
    _placed(fine_one - _blurred(one, _WIDE_PASSES), at, seen, covered)
    detail, share = _correlation(seen, fine_two - _blurred(two, _WIDE_PASSES), covered, _EDGE)
    if _shift(at, start) > LARGEST_SHIFT:
        return 0.0, whole, share
    return max(detail, 0.0), whole, share
