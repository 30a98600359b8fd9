"""Inside a child: the text of a scan, read off its pixels by RapidOCR's bundled models.

PP-OCRv6 small (Apache-2.0) in ONNX Runtime, on one thread; latin and CJK scripts. Nothing is
downloaded. The nursery loads the models before it forks, as a confined child opens no session.
"""

import importlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.search import TEXT_CHARACTERS
from tasks.fingerprint.images import PIXEL_LIMIT
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.perceptual.documents import PDF
from tasks.fingerprint.search_text import searchable
from tasks.fingerprint.sources import FetchedFile

PAGES = 5
"""Pages of a scan that are read: some ten seconds."""
LONGEST_SIDE = 1754
"""Pixels that a page or a picture is brought to at most: A4 at 150 dpi."""
LEAST_SCORE = 0.6
"""Mean certainty of a line's letters below which it is no text; printed lines have 0.9 and more."""


def open_engine() -> None:
    """Load the models, in a process of one thread that is to be forked."""
    _engine()


@cache
def _engine() -> Any:
    importlib.import_module("cv2").setNumThreads(0)
    rapidocr = importlib.import_module("rapidocr")
    engine = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,  # lines upside down: EXIF and PDFs say how they are turned
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    engine(np.full((64, 64, 3), 255, np.uint8))
    return engine


def read_scan_text(request: Request, file: FetchedFile) -> Facts:
    """Return the text of a scan as JSON, `{"text": ..., "characters": ...}`.

    Raises:
        Exception: Pillow's or PDFium's, when it cannot be decoded.
    """
    pages = _pdf_pages(file.content()) if request.label in PDF else _picture(file)
    text = "\n".join(map(_lines, pages))
    answer = {"text": searchable(text)[:TEXT_CHARACTERS], "characters": len(text)}
    return {"thumbnail_bytes": json.dumps(answer).encode()}


def _lines(page: NDArray[np.uint8]) -> str:
    """Return the lines of a page in the order in which they were found, from the top."""
    found = _engine()(page)
    scores, texts = found.scores or (), found.txts or ()
    return "\n".join(
        text for text, score in zip(texts, scores, strict=True) if score >= LEAST_SCORE
    )


def _pdf_pages(content: bytes) -> Iterator[NDArray[np.uint8]]:
    from pypdfium2 import PdfDocument

    with PdfDocument(content) as document:
        for number in range(min(len(document), PAGES)):
            page = document[number]
            longest = max(page.get_size())
            if longest <= 0:
                continue
            drawn = page.render(scale=LONGEST_SIDE / longest, rev_byteorder=False)
            yield np.ascontiguousarray(drawn.to_numpy()[:, :, :3])
            page.close()


def _picture(file: FetchedFile) -> Iterator[NDArray[np.uint8]]:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(file.opened()) as picture:
        if picture.width * picture.height > PIXEL_LIMIT:
            raise NotImplementedError("more than 100 megapixels: not supported")
        several = picture.format == "TIFF"
        frames = ImageSequence.Iterator(picture) if several else iter([picture])
        for _, frame in zip(range(PAGES), frames, strict=False):
            upright = ImageOps.exif_transpose(frame)
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            seen = _on_white(upright)
            yield np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])


def _on_white(picture: Any) -> Any:
    """Return a picture without transparency, on paper."""
    from PIL import Image

    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    paper = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(paper, layered).convert("RGB")
