"""Scans: which contents have a text only in their pixels, and whether it can be read here."""

import importlib.util
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.domain.fingerprint import Media
from models.settings import Settings
from tasks.fingerprint.children import Limits, parsing_limits
from tasks.fingerprint.parsing import labels_of
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT, PDF
from tasks.fingerprint.texts import text_contents

compute: Any = pc  # the stubs know too few of its overloads

LEAST_PIXELS = 300
"""Shorter side of a picture whose text is looked for: a line of less than 12 pixels is not read."""
MEMORY_BYTES = 3_000_000_000
"""Address space of a child that reads scans: the models and the largest page took 0.95 GB."""
_SIDE = 256
_PAPER_FROM, _COLORLESS_BELOW = 0.72, 0.18
"""Lightness of paper, and the saturation that it stays below, as shares."""
_SHADED_FROM, _TINTED_BELOW = 0.8, 0.25
"""The same of paper in the shade: its lightness by the picture's own, and its saturation."""
LEAST_PAPER, LEAST_STROKES = 0.4, 0.02
LEAST_SHADED, LEAST_FAINT = 0.55, 0.05
"""Shares of a picture that are paper, and of neighbors that differ by a stroke of 0.1, or, of paper
in the shade, of 0.05. Of 270 pictures of the sample collection 57 pass, among them 27 of the 30 in
which more than 100 letters were found, at half the time of reading them all."""


def ocr_problem(settings: Settings) -> str | None:
    """Return in words why texts of scans are not read here; None where they are."""
    if not settings.ocr:
        return "reading scans is turned off"
    if importlib.util.find_spec("rapidocr") is None:
        return "reading scans needs `pip install 'fileorganizer[ocr]'`"
    return None


def scan_limits(settings: Settings) -> Limits:
    """Return what a child may use for one scan; it is forked with the models in its memory."""
    limits = parsing_limits(settings)
    return replace(
        limits,
        memory_bytes=max(limits.memory_bytes, MEMORY_BYTES),
        cpu_s=settings.ocr_cpu_s,
        prepares="tasks.fingerprint.scan_text",
    )


def scanned_contents(fingerprints: pa.Table, categories: pa.Table | None, below: float) -> pa.Table:
    """Return the contents whose text, if they have one, is in their pixels.

    These are PDFs without a text layer, and pictures that are large enough and have a thumbnail, by
    which `looks_written` tells the rest.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        categories: (n,) rows of `CategoryRow` of the same files; None for every scan there is.
        below: confidence from which the category of a picture needs no text.

    Returns:
        (m,) rows of `TextContent`, each content once, sorted by content.
    """
    is_pdf = compute.and_(
        compute.is_in(fingerprints["content_label"], value_set=pa.array(sorted(PDF))),
        compute.equal(fingerprints["has_text"], False),  # noqa: FBT003 - a column's value
    )
    shorter = compute.min_element_wise(fingerprints["width"], fingerprints["height"])
    is_picture = compute.is_in(
        fingerprints["content_label"], value_set=pa.array(sorted(labels_of("image")))
    )
    for condition in (
        compute.equal(fingerprints["media"], Media.IMAGE.value),
        compute.is_valid(fingerprints["thumbnail"]),
        compute.greater_equal(shorter, LEAST_PIXELS),
    ):
        is_picture = compute.and_(is_picture, condition)
    if categories is not None:
        unsure = categories.filter(compute.less(categories["confidence_ratio"], below))
        keys = unsure["key"].combine_chunks().cast(pa.string())
        is_picture = compute.and_(is_picture, compute.is_in(fingerprints["key"], value_set=keys))
    keep = compute.fill_null(compute.or_kleene(is_pdf, is_picture), False)  # noqa: FBT003
    return text_contents(
        fingerprints,
        compute.and_(keep, compute.less_equal(fingerprints["size_bytes"], LARGEST_DOCUMENT)),
    )


def looks_written(thumbnail: bytes) -> bool:
    """Return whether a picture may be of a page, a form or a receipt, by its thumbnail.

    Pages are light and without color for the greater part, with dark strokes all over.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(thumbnail)) as opened:
            small = opened.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
            colors = np.asarray(small, np.float32) / 255.0
    except (OSError, ValueError, SyntaxError):
        return False
    light, dark, grey = colors.max(axis=2), colors.min(axis=2), colors.mean(axis=2)
    saturation = (light - dark) / np.maximum(light, 1e-6)
    steps = np.abs(np.diff(grey, axis=1))
    paper = (dark > _PAPER_FROM) & (saturation < _COLORLESS_BELOW)
    shaded = (grey > _SHADED_FROM * np.percentile(grey, 90)) & (saturation < _TINTED_BELOW)
    is_lit = paper.mean() > LEAST_PAPER and (steps > 0.1).mean() > LEAST_STROKES  # noqa: PLR2004
    is_shaded = shaded.mean() > LEAST_SHADED and (steps > 0.05).mean() > LEAST_FAINT  # noqa: PLR2004
    return bool(is_lit or is_shaded)
