"""How long answers took, as counts that add up: over requests, processes and days. Pure."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

STEPS_TO_DOUBLE = 4
"""Bounds grow by the fourth root of 2, so a percentile is at most 19 % too high."""
LARGEST = 80
"""Bound 2 ** (80 / 4) ms: 17 minutes, longer than any request may take."""

EVENT = "api.latency"
"""Type of the events that hold such counts, one a minute and process."""


def bucket_of(duration_ms: float) -> int:
    """Return the number of the smallest bound that a duration does not exceed."""
    if duration_ms <= 1:
        return 0
    return min(math.ceil(math.log2(duration_ms) * STEPS_TO_DOUBLE - 1e-9), LARGEST)


def bound_ms(bucket: int) -> float:
    """Return a bound in milliseconds."""
    return 2.0 ** (bucket / STEPS_TO_DOUBLE)


def percentile_ms(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the bound that a share of all answers stays below; None of none."""
    total = sum(buckets.values())
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= share * total and seen:
            return bound_ms(bucket)
    return None


class Latencies:
    """Counts of one process since they were last taken."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._errors = 0

    def add(self, duration_ms: float, *, is_error: bool) -> None:
        """Count one answer; `is_error` of 5xx."""
        self._buckets[bucket_of(duration_ms)] += 1
        self._errors += is_error

    def take(self) -> dict[str, Any] | None:
        """Return what was counted as the data of an event, and begin anew; None of nothing."""
        if not self._buckets:
            return None
        taken, errors = self._buckets, self._errors
        self._buckets, self._errors = Counter(), 0
        return {
            "requests": taken.total(),
            "errors": errors,
            "buckets": {str(bucket): n for bucket, n in sorted(taken.items())},
        }
