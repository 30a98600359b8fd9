"""How precise each threshold is for this collection, from pairs that a person labeled.

Pairs are labeled in strata of similarity, for nearly all pairs of a large collection lie where
everybody knows the answer. With `N_b` pairs of the collection in stratum b, of which `n_b` were
labeled and `k_b` were duplicates, the expected precision of accepting strata b and above is

    sum(N_b * p_b) / sum(N_b),  p_b = (k_b + 1/2) / (n_b + 1)

(stratified estimator: Cochran 1977, "Sampling Techniques", 5.3; Jeffreys' prior for p_b: Brown,
Cai, DasGupta 2001, "Interval estimation for a binomial proportion"). Its standard error is the root
of `sum((N_b / N)^2 p_b (1 - p_b) / (n_b + 2))`.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

STRATA: tuple[float, ...] = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Lower ends of the strata, and the thresholds that are judged."""
LABELS = 100
"""Pairs to be labeled: the standard error of a precision near 0.9 is then about 0.03."""
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledPair:
    """A pair and what a person said of it."""

    similarity_ratio: float
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What to expect of one threshold.

    Attributes:
        threshold: smallest similarity ratio that is accepted.
        pairs: pairs of the collection that it accepts.
        precision: expected share of duplicates among them.
        low: lower end of its 95 % interval.
        high: upper end.
        labeled: labels that this rests on.
    """

    threshold: float
    pairs: int
    precision: float
    low: float
    high: float
    labeled: int


def _stratum(similarity: float) -> int:
    return bisect_right(STRATA, similarity) - 1


def choose_pairs(similarities: Sequence[float], count: int = LABELS) -> list[int]:
    """Return which pairs to ask a person about: as many of each stratum, evenly spread in it.

    Args:
        similarities: (n,) of the collection's candidate pairs, any order.
        count: labels wanted.

    Returns:
        Positions, ascending; the same for the same similarities.
    """
    strata: list[list[int]] = [[] for _ in STRATA]
    for position in sorted(range(len(similarities)), key=lambda n: (similarities[n], n)):
        if similarities[position] >= STRATA[0]:
            strata[_stratum(similarities[position])].append(position)
    chosen: list[int] = []
    left = count
    for rank, members in enumerate(sorted(strata, key=len)):
        share = min(len(members), left // (len(strata) - rank))
        left -= share
        chosen += [members[(2 * n + 1) * len(members) // (2 * share)] for n in range(share)]
    return sorted(chosen)


def calibrate(labels: Sequence[LabeledPair], similarities: Sequence[float]) -> list[Calibrated]:
    """Return what to expect of each threshold, the lowest first.

    Args:
        labels: what a person said.
        similarities: (n,) of all candidate pairs of the collection.

    Returns:
        One row for each of `STRATA` above which pairs were labeled.
    """
    in_collection, asked, yes = ([0] * len(STRATA) for _ in range(3))
    for similarity in similarities:
        if similarity >= STRATA[0]:
            in_collection[_stratum(similarity)] += 1
    for label in labels:
        if label.similarity_ratio >= STRATA[0]:
            asked[_stratum(label.similarity_ratio)] += 1
            yes[_stratum(label.similarity_ratio)] += label.is_duplicate
    found: list[Calibrated] = []
    for first, threshold in enumerate(STRATA):
        strata = range(first, len(STRATA))
        if not any(asked[b] for b in strata):
            break
        weights = [in_collection[b] or asked[b] for b in strata]
        total = sum(weights)
        shares = [(yes[b] + 0.5) / (asked[b] + 1) for b in strata]
        precision = sum(w * p for w, p in zip(weights, shares, strict=True)) / total
        variance = sum(
            (w / total) ** 2 * p * (1 - p) / (asked[b] + 2)
            for b, w, p in zip(strata, weights, shares, strict=True)
        )
        margin = _NORMAL_95 * math.sqrt(variance)
        found.append(
            Calibrated(
                threshold=threshold,
                pairs=sum(in_collection[b] for b in strata),
                precision=precision,
                low=max(0.0, precision - margin),
                high=min(1.0, precision + margin),
                labeled=sum(asked[b] for b in strata),
            )
        )
    return found


def threshold_for(rows: Sequence[Calibrated], precision: float) -> float | None:
    """Return the lowest threshold whose interval lies at or above a precision; None: none does."""
    return next((row.threshold for row in rows if row.low >= precision), None)
