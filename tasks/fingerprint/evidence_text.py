"""Inside a child: what a document says in words, as much as a model needs."""

import json
from collections.abc import Iterator

from models.domain.sampling import sampled
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.perceptual.documents import PDF, document_text
from tasks.fingerprint.sources import FetchedFile

_FIRST_PAGES = 4
"""Pages of a PDF that are read whole; of longer ones the middle and the last are read too."""


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
