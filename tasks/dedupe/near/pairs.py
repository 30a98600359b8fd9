"""Pairs of a collection with their similarity, to ask a person about and to weigh the answers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from models.domain.near import NearMedia
from models.domain.near_pairs import NearPair
from tasks.dedupe.near.calibration import STRATA
from tasks.dedupe.near.searches import Searched, SignatureBatches, searches
from warehouse.schemas.arrow import to_table

MOST_PAIRS = 200_000
"""Pairs of one kind that are looked at; more change no share by more than a thousandth."""


def near_pairs(
    signatures: SignatureBatches, *, scratch: Path, workers: int = 1, most: int = MOST_PAIRS
) -> pa.Table:
    """Return the pairs of every kind that are at least `STRATA[0]` alike.

    A collection with more than `most` pairs of a kind is sampled: its contents are gone through in
    the order of their SHA-256, which is that of chance, and the pairs of the first of them with all
    others are as those of all.

    Args:
        signatures: of all contents.
        scratch: an empty folder for what does not fit memory.
        workers: threads.
        most: pairs of a kind after which no further content is looked at.

    Returns:
        (m,) rows of `NearPair`, by kind and then by content.
    """
    rows: list[NearPair] = []
    lowest = {media.value: STRATA[0] for media in NearMedia}
    for _, media, search in searches(signatures, scratch, lowest, workers):
        before = len(rows)
        for found in _pairs_of(search, media):
            rows += found
            if len(rows) - before >= most:
                break
    rows.sort(key=lambda row: (row.media, row.sha256, row.other_sha256))
    return to_table(rows, NearPair)


def _pairs_of(search: Searched, media: NearMedia) -> Iterator[list[NearPair]]:
    """Yield for each content its pairs with contents that were not gone through yet."""
    names = search.contents
    is_open = np.ones(len(names), np.bool_)
    for content, name in enumerate(names):
        is_open[content] = False
        yield [
            NearPair(
                media=media,
                sha256=name,
                other_sha256=names[proof.other],
                similarity_ratio=proof.similarity_ratio,
                evidence=proof.evidence,
            )
            for proof in search.matches(content, is_open)
        ]
