"""Inside a child: what a document says in words, as much as a model needs."""

import json
import re
from collections.abc import Iterator

from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.perceptual.documents import PDF, document_text
from tasks.fingerprint.sources import FetchedFile

BEGINNING = 1400
"""Characters from the beginning: some 320 English tokens, more than the model reads of them."""
SAMPLES, SAMPLE = 3, 200
"""Pieces of the rest, evenly spaced, and the characters of each."""
_FIRST_PAGES = 4
"""Pages of a PDF that are read whole; of longer ones the middle and the last are read too."""
_LOOKED_AT = 200_000
"""Characters of an extracted text that are cleaned: 60 pages."""
_SPACE = re.compile(r"\s+")
_UNSAID = re.compile(r"https?://\S+|[A-Za-z0-9+/=]{60,}|[-=_*#|.]{4,}")
"""Addresses, encoded bytes and drawn lines: they cost tokens and say nothing."""


def read_evidence_text(request: Request, file: FetchedFile) -> Facts:
    """Return the sampled text of a document as JSON: `{"text": ...}`."""
    text = sampled(_text(file.content(), request.label))
    return {"thumbnail_bytes": json.dumps({"text": text}).encode()}


def _text(content: bytes, label: str) -> str:
    if label in PDF:
        return "\n".join(_pages(content))
    return document_text(content, label)


def _pages(content: bytes) -> Iterator[str]:
    from pypdfium2 import PdfDocument

    with PdfDocument(content) as document:
        count = len(document)
        wanted = {*range(min(count, _FIRST_PAGES)), count // 2, count - 1} if count else set()
        for number in sorted(wanted):
            yield document[number].get_textpage().get_text_bounded()


def sampled(text: str) -> str:
    """Return the beginning of a text and pieces of the rest, in one line, at most 2,003 characters.

    Equal texts give equal samples; what is not printable is left out.
    """
    plain = _SPACE.sub(" ", _UNSAID.sub(" ", text[:_LOOKED_AT]))
    plain = "".join(sign for sign in plain if sign.isprintable()).strip()
    rest = plain[BEGINNING:]
    pieces = [plain[:BEGINNING]]
    if len(rest) <= SAMPLES * SAMPLE:
        return (pieces[0] + rest).strip()
    step = len(rest) // SAMPLES
    pieces += [rest[at * step : at * step + SAMPLE].strip() for at in range(SAMPLES)]
    return " ".join(pieces).strip()
