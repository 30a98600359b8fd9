"""How precise each threshold is for this collection, from pairs that a person labeled.

Pairs are labeled in strata of similarity, for nearly all pairs of a large collection lie where
everybody knows the answer. With `N_b` pairs of the collection in stratum b, of which `n_b` were
labeled and `k_b` were duplicates, the expected precision of accepting strata b and above is

    sum(N_b * p_b) / sum(N_b),  p_b = (k_b + (N_b - n_b) * (k_b + 1/2) / (n_b + 1)) / N_b

(stratified estimator: Cochran 1977, "Sampling Techniques", 5.3; Jeffreys' prior for the pairs that
nobody labeled: Brown, Cai, DasGupta 2001, "Interval estimation for a binomial proportion"). Its
standard error is the root of `sum((N_b / N)^2 (1 - n_b / N_b) q_b (1 - q_b) / (n_b + 2))` with the
prior's share q_b; a stratum that was labeled whole has no error left (Cochran, 2.6).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.domain.near_pairs import Calibration, Label, NearPair

STRATA: tuple[float, ...] = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Lower ends of the strata, and the thresholds that are judged."""
LABELS = 100
"""Pairs to be labeled: the standard error of a precision near 0.9 is then about 0.03."""
WANTED_PRECISION = 0.95
"""One wrong pair in twenty, of which a person decides each."""
_NORMAL_95 = 1.96
_MORE_RIGHT_THAN_WRONG = 0.5


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
        own_precision: expected share among those below the next threshold; None: there are none.
    """

    threshold: float
    pairs: int
    precision: float
    low: float
    high: float
    labeled: int
    own_precision: float | None


@dataclass(slots=True)
class _Stratum:
    """Counts of one stratum: pairs of the collection, of these labeled, of these duplicates."""

    pairs: int = 0
    labeled: int = 0
    duplicates: int = 0

    @property
    def weight(self) -> int:
        """Pairs it stands for; labels from elsewhere stand at least for themselves."""
        return max(self.pairs, self.labeled)

    @property
    def prior_share(self) -> float:
        """Expected share of duplicates among pairs that nobody labeled."""
        return (self.duplicates + 0.5) / (self.labeled + 1)

    @property
    def expected(self) -> float:
        """Expected duplicates."""
        return self.duplicates + (self.weight - self.labeled) * self.prior_share

    @property
    def share(self) -> float | None:
        """Expected share of duplicates; None where there are no pairs."""
        return self.expected / self.weight if self.weight else None

    @property
    def variance(self) -> float:
        """Variance of the expected duplicates."""
        spread = self.prior_share * (1 - self.prior_share) / (self.labeled + 2)
        return self.weight * (self.weight - self.labeled) * spread


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


def choose_of_all(pairs: Sequence[NearPair], count: int = LABELS) -> list[NearPair]:
    """Return which pairs to ask about: as many of each kind as there are, in the order given.

    What a kind has too few pairs for is left to the others.
    """
    kinds = _by_kind(pairs)
    chosen: list[NearPair] = []
    for rank, members in enumerate(sorted(kinds.values(), key=len)):
        share = (count - len(chosen)) // (len(kinds) - rank)
        positions = choose_pairs([pair.similarity_ratio for pair in members], share)
        chosen += [members[position] for position in positions]
    return sorted(chosen, key=lambda pair: (pair.media, pair.similarity_ratio, pair.sha256))


def calibrate(labels: Sequence[LabeledPair], similarities: Sequence[float]) -> list[Calibrated]:
    """Return what to expect of each threshold, the lowest first.

    Args:
        labels: what a person said, each pair once.
        similarities: (n,) of all candidate pairs of the collection, the labeled ones too.

    Returns:
        One row for each of `STRATA` above which pairs were labeled.
    """
    strata = [_Stratum() for _ in STRATA]
    for similarity in similarities:
        if similarity >= STRATA[0]:
            strata[_stratum(similarity)].pairs += 1
    for label in labels:
        if label.similarity_ratio >= STRATA[0]:
            stratum = strata[_stratum(label.similarity_ratio)]
            stratum.labeled += 1
            stratum.duplicates += label.is_duplicate
    found: list[Calibrated] = []
    for first, threshold in enumerate(STRATA):
        accepted = strata[first:]
        if not any(stratum.labeled for stratum in accepted):
            break
        total = sum(stratum.weight for stratum in accepted)
        precision = sum(stratum.expected for stratum in accepted) / total
        margin = _NORMAL_95 * math.sqrt(sum(stratum.variance for stratum in accepted)) / total
        found.append(
            Calibrated(
                threshold=threshold,
                pairs=sum(stratum.pairs for stratum in accepted),
                precision=precision,
                low=max(0.0, precision - margin),
                high=min(1.0, precision + margin),
                labeled=sum(stratum.labeled for stratum in accepted),
                own_precision=accepted[0].share,
            )
        )
    return found


def threshold_for(
    rows: Sequence[Calibrated], precision: float, default: float = STRATA[0]
) -> float | None:
    """Return the lowest threshold that labels speak for; None: none.

    From the highest down, pairs above it are expected to be as precise as wanted, and those that
    each step adds to be right more often than wrong. Where a step adds no pairs nobody can say
    anything: it is taken only while it does not go below the default.

    Args:
        rows: of one kind, the lowest threshold first.
        precision: wanted of all pairs above.
        default: the kind's threshold without labels.
    """
    lowest = None
    for row in reversed(rows):
        if row.own_precision is None:
            if row.threshold < default:
                continue
        elif row.own_precision <= _MORE_RIGHT_THAN_WRONG:
            break
        if row.precision < precision:
            break
        lowest = row.threshold
    return lowest


def calibrated(
    labels: Sequence[Label],
    pairs: Sequence[NearPair],
    precision: float = WANTED_PRECISION,
    defaults: Mapping[str, float] | None = None,
) -> tuple[Calibration, dict[str, list[Calibrated]]]:
    """Return what is to be kept for later runs, and the rows of each kind.

    Args:
        labels: what a person said; of a pair that was labeled twice the last word counts.
        pairs: those of the collection; labels of other pairs are kept, and count for nothing.
        precision: wanted of the pairs above a kind's threshold.
        defaults: thresholds of the kinds without labels.
    """
    said: dict[tuple[str, tuple[str, str]], Label] = {
        (label.media, label.pair): label for label in labels
    }
    rows: dict[str, list[Calibrated]] = {}
    thresholds: dict[str, float] = {}
    for media, members in _by_kind(pairs).items():
        answers = [
            LabeledPair(similarity_ratio=pair.similarity_ratio, is_duplicate=label.is_duplicate)
            for pair in members
            if (label := said.get((media, (pair.sha256, pair.other_sha256)))) is not None
        ]
        rows[media] = calibrate(answers, [pair.similarity_ratio for pair in members])
        threshold = threshold_for(rows[media], precision, (defaults or {}).get(media, STRATA[0]))
        if threshold is not None:
            thresholds[media] = threshold
    ordered = tuple(said[key] for key in sorted(said))
    return Calibration(labels=ordered, thresholds=thresholds), rows


def _by_kind(pairs: Sequence[NearPair]) -> Mapping[str, list[NearPair]]:
    kinds: dict[str, list[NearPair]] = {}
    for pair in pairs:
        kinds.setdefault(pair.media, []).append(pair)
    return kinds
