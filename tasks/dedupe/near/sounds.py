"""Recordings that sound the same, whatever their codec, loudness or lead-in."""

from collections.abc import Iterable, Iterator
from typing import Any

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.dedupe.near.columns import blobs, texts
from tasks.dedupe.near.stars import Proof

SOUND_THRESHOLD = 0.6
"""`1 - 2 * share of differing bits`: unrelated recordings agree in half their bits by chance and
have about 0 (0.06 the highest of 380 pairs), copies at 32 kbit/s 0.74 and more. Haitsma and Kalker
use 0.3 for three seconds; whole recordings allow a stricter one."""
SAMPLED_CODES = 512
"""Codes of a recording that are looked up: the smallest after mixing, so two copies choose the same
(a bottom-k sketch, Broder 1997). Of 25 tunes in 8 forms, AAC and Opus at 32 to 48 kbit/s among
them, 13 % of the pairs were lost with 128, 2 % with 256, none with 512."""
_LOOKED_UP = 256
"""Of them, those that the fewest recordings have: what noise and hum share tells nothing."""
_SHORTEST_OVERLAP = 0.5
"""Share of the shorter recording that must be covered."""
_RUN = 32
"""Equal codes in one recording that vote: a held tone repeats its code."""
_OFFSETS = 3
"""Alignments tried, those with the most equal codes first."""


@numba.njit(cache=True, nogil=True)
def _votes(
    one: Any, one_order: Any, two: Any, two_order: Any, tally: Any
) -> None:  # pragma: no cover - compiled
    """Count for each alignment how many codes are equal; runs of one code count once a place."""
    i, j = 0, 0
    while i < len(one) and j < len(two):
        a, b = one[one_order[i]], two[two_order[j]]
        if a < b:
            i += 1
        elif a > b:
            j += 1
        else:
            i_end, j_end = i, j
            while i_end < len(one) and one[one_order[i_end]] == a and i_end - i < _RUN:
                i_end += 1
            while j_end < len(two) and two[two_order[j_end]] == a and j_end - j < _RUN:
                j_end += 1
            for p in range(i, i_end):
                for q in range(j, j_end):
                    tally[one_order[p] - two_order[q] + len(two)] += 1
            i, j = i_end, j_end


def agreement(one: NDArray[np.uint32], two: NDArray[np.uint32]) -> float:
    """Return how far two recordings agree at their best alignment, 0 (as chance) to 1.

    `1 - 2 * (share of bits that differ)` over the overlap, which must be half of the shorter.
    """
    tally = np.zeros(len(one) + len(two) + 1, np.int32)
    _votes(one, np.argsort(one, kind="stable"), two, np.argsort(two, kind="stable"), tally)
    best = 0.0
    for place in np.argsort(-tally, kind="stable")[:_OFFSETS]:
        offset = int(place) - len(two)
        a, b = one[max(0, offset) :], two[max(0, -offset) :]
        length = min(len(a), len(b))
        if length < _SHORTEST_OVERLAP * min(len(one), len(two)):
            continue
        differing = int(np.bitwise_count(a[:length] ^ b[:length]).sum()) / (32 * length)
        best = max(best, 1 - 2 * differing)
    return best


class SoundSearch:
    """Candidates by equal codes, proofs by aligning the whole recordings.

    Attributes:
        contents: SHA-256 of each content, ascending.
        threshold: agreement that two recordings must have.
    """

    shown = None

    def __init__(
        self, batches: Iterable[pa.RecordBatch], *, threshold: float | None = None
    ) -> None:
        """Read the signatures.

        Args:
            batches: rows of `SoundPrint`, any order, one a content.
            threshold: 0 to 1; `SOUND_THRESHOLD` when None.
        """
        codes: dict[str, bytes] = {}
        for batch in batches:
            codes.update(zip(texts(batch, "sha256"), blobs(batch, "codes"), strict=True))
        self.contents = sorted(codes)
        self.threshold = SOUND_THRESHOLD if threshold is None else threshold
        self._codes = [codes[sha256] for sha256 in self.contents]
        self._sampled = [self._sample(n) for n in range(len(self.contents))]
        owners = np.repeat(np.arange(len(self.contents)), [len(some) for some in self._sampled])
        flat = np.concatenate(self._sampled) if self._sampled else np.empty(0, np.uint32)
        order = np.argsort(flat, kind="stable")
        self._sorted, self._owners = flat[order], owners[order].astype(np.int32)

    def codes(self, content: int) -> NDArray[np.uint32]:
        """Return the codes of a content, in the order of time."""
        return np.frombuffer(self._codes[content], "<u4")

    def _sample(self, content: int) -> NDArray[np.uint32]:
        """Return the codes that are looked up: the smallest of the distinct ones after mixing."""
        mixed = np.unique(self.codes(content)) * np.uint32(0x9E3779B1)
        mixed ^= mixed >> np.uint32(15)
        mixed *= np.uint32(0x85EBCA6B)
        return np.sort(mixed)[:SAMPLED_CODES]

    def matches(self, content: int, is_open: NDArray[np.bool_]) -> Iterator[Proof]:
        """Yield the proofs of open contents that sound the same."""
        own = self._sampled[content]
        starts = np.searchsorted(self._sorted, own, "left")
        ends = np.searchsorted(self._sorted, own, "right")
        shared = np.flatnonzero(ends - starts > 1)
        rarest = shared[np.argsort((ends - starts)[shared], kind="stable")][:_LOOKED_UP]
        if not len(rarest):
            return
        near = np.unique(np.concatenate([self._owners[starts[n] : ends[n]] for n in rarest]))
        for other in near[is_open[near] & (near != content)].tolist():
            found = agreement(self.codes(content), self.codes(other))
            if found >= self.threshold:
                differing = (1 - found) / 2
                words = f"{differing:.1%} of the bits of the whole recordings differ, aligned"
                yield Proof(other, round(found, 4), round(32 * differing), words)
