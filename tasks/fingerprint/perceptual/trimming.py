"""Where a picture begins inside a frame, a letterbox or white margins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 12
"""Greys a pixel of a border may differ from the border's color: noise of JPEG at quality 25."""
STRAY_SHARE = 0.02
"""Share of a border's line that may be something else (dust, a corner of a watermark)."""
LARGEST_SHARE = 0.35
"""A border is at most this share of a side; more is a picture of a small thing."""
SMALLEST_SHARE = 0.3
"""What is left is at least this share of each side."""
_ROUNDS = 3
"""A frame within a mat within a letterbox."""


def _is_busy(lines: NDArray[Any], color: int) -> NDArray[np.bool_]:
    """Return which of (n, m) lines have more than strays of another color."""
    strays = np.abs(lines.astype(np.int16) - np.int16(color)) > TOLERANCE
    return np.count_nonzero(strays, axis=1) > STRAY_SHARE * lines.shape[1]


def _leading(lines: NDArray[Any]) -> int:
    """Return how many leading lines of (n, m) have the color of the first, throughout."""
    limit = int(len(lines) * LARGEST_SHARE)
    half = lines.shape[1] // 2
    color = int(np.partition(lines[0], half)[half])
    if not limit or _is_busy(lines[:1], color)[0]:
        return 0  # so it is with most sides of most pictures, and needs only one line
    busy = np.flatnonzero(_is_busy(lines[:limit], color))
    return int(busy[0]) if len(busy) else limit


def inner_box(grey: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """Return `(left, top, right, bottom)` of what is inside the uniform border; None without one.

    The line where border and picture blend is left out with the border.

    Args:
        grey: (rows, columns) uint8.
    """
    rows, columns = grey.shape
    top, bottom, left, right = 0, rows, 0, columns
    for _ in range(_ROUNDS):
        inner = grey[top:bottom, left:right]
        cut = (
            _leading(inner),
            _leading(inner[::-1]),
            _leading(inner.T),
            _leading(inner.T[::-1]),
        )
        if not any(cut):
            break
        top, bottom, left, right = top + cut[0], bottom - cut[1], left + cut[2], right - cut[3]
        if bottom - top < rows * SMALLEST_SHARE or right - left < columns * SMALLEST_SHARE:
            return None
    if (top, bottom, left, right) == (0, rows, 0, columns):
        return None
    return (
        left + (left > 0),
        top + (top > 0),
        right - (right < columns),
        bottom - (bottom < rows),
    )
