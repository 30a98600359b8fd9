"""Pairs that may be duplicates, what a person said of them, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.domain.columns import column


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPair:
    """Two contents and how alike they are."""

    media: str = column("What they are, a `NearMedia`.")
    sha256: str = column("One content, 64 hexadecimal digits; the smaller of both.")
    other_sha256: str = column("The other content.")
    similarity_ratio: float = column("0 to 1, as of near groups.")
    evidence: str = column("What the second check saw, in words.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person said of two contents.

    Attributes:
        media: what they are, a `NearMedia`.
        pair: both SHA-256, the smaller first.
        is_duplicate: whether one of them could go.
    """

    media: str
    pair: tuple[str, str]
    is_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was learned of one root.

    Attributes:
        labels: all of them, by any run.
        thresholds: smallest similarity ratio by `NearMedia`, where the labels gave one.
    """

    labels: tuple[Label, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
