"""One search for each kind of signature."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from numpy.typing import NDArray

from models.domain.duplicates import TruthClass
from models.domain.near import FilmFrame, NearMedia, PictureView, SoundPrint, TextPrint
from models.domain.near_payload import unpack
from tasks.dedupe.near.columns import blobs, texts
from tasks.dedupe.near.films import FILM_THRESHOLD, FilmSearch
from tasks.dedupe.near.pictures import PictureSearch, Views
from tasks.dedupe.near.sounds import SOUND_THRESHOLD, SoundSearch
from tasks.dedupe.near.stars import Search
from tasks.dedupe.near.texts import TEXT_THRESHOLD, TextSearch
from tasks.dedupe.near.thresholds import PICTURE_FLOOR
from warehouse.schemas.arrow import to_table

DEFAULTS = {
    NearMedia.IMAGE.value: PICTURE_FLOOR,
    NearMedia.VIDEO.value: FILM_THRESHOLD,
    NearMedia.AUDIO.value: SOUND_THRESHOLD,
    NearMedia.DOCUMENT.value: TEXT_THRESHOLD,
}
"""Smallest similarity ratio of each kind where nothing else is said."""

SignatureBatches = Callable[[], Iterable[pa.RecordBatch]]
"""Returns all rows of `Signature` anew; it is called once for each kind."""


class Searched(Search, Protocol):
    """A search that knows the contents it was made of.

    Attributes:
        contents: their SHA-256s, ascending.
        threshold: smallest similarity ratio.
    """

    contents: list[str]
    threshold: float

    @property
    def shown(self) -> NDArray[Any] | None:
        """Return the share of each content that is not a border; None where nothing has one."""
        ...


def _batches(signatures: SignatureBatches, row_type: type) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one kind of signature."""
    for batch in signatures():
        rows = [
            row
            for sha256, payload in zip(texts(batch, "sha256"), blobs(batch, "payload"), strict=True)
            for row in unpack(payload, sha256)
            if isinstance(row, row_type)
        ]
        if rows:
            yield from to_table(rows, row_type).to_batches()


def searches(
    signatures: SignatureBatches, scratch: Path, thresholds: Mapping[str, float], workers: int
) -> Iterator[tuple[TruthClass, NearMedia, Searched]]:
    """Yield one search for each kind; each is done with before the next is made.

    Args:
        signatures: of all contents.
        scratch: an empty folder for what does not fit memory; read while a search lives.
        thresholds: smallest similarity ratio by `NearMedia`; a kind without one has its own.
        workers: threads.
    """
    asked = thresholds.get
    views = Views(_batches(signatures, PictureView), scratch)
    if views.contents:
        pictures = PictureSearch(views, threshold=asked(NearMedia.IMAGE), workers=workers)
        yield TruthClass.PERCEPTUAL, NearMedia.IMAGE, pictures
        del pictures
    del views
    frames = _batches(signatures, FilmFrame)
    films = FilmSearch(frames, threshold=asked(NearMedia.VIDEO), workers=workers)
    yield TruthClass.PERCEPTUAL, NearMedia.VIDEO, films
    del films
    sounds = SoundSearch(_batches(signatures, SoundPrint), threshold=asked(NearMedia.AUDIO))
    yield TruthClass.PERCEPTUAL, NearMedia.AUDIO, sounds
    del sounds
    prints = _batches(signatures, TextPrint)
    documents = TextSearch(prints, scratch, threshold=asked(NearMedia.DOCUMENT))
    yield TruthClass.TEXTUAL, NearMedia.DOCUMENT, documents
