"""Inside a child: PDF."""

import importlib
from typing import Any

from models.domain.fingerprint import Problem
from tasks.fingerprint.parsing import Facts, Request, claim, clean
from tasks.fingerprint.sources import FetchedFile

PAGES_LOOKED_AT = 5
"""A text layer shows on the first pages or nowhere: scanners treat all pages alike."""
POINTS_LIMIT = 100_000.0
"""Wider pages are malformed; PDF's own limit is 14,400 points."""


def prepare() -> None:
    """Load PDFium before children are forked."""
    importlib.import_module("pypdfium2")


def read_pdf(_request: Request, file: FetchedFile) -> Facts:
    """Return title, author, creation date and whether there is a text layer.

    Raises:
        Exception: PDFium's, when it is no PDF.
    """
    import pypdfium2
    from pypdfium2 import PdfiumError

    data: Any = file.content() if file.is_whole else file.opened()
    try:
        document = pypdfium2.PdfDocument(data)
    except PdfiumError as error:
        if "password" in str(error).lower():
            return {"problem": Problem.ENCRYPTED.because("needs a password")}
        raise
    try:
        information = document.get_metadata_dict(skip_empty=True)
        return {
            "title": clean(information.get("Title")),
            "artist": clean(information.get("Author")),
            "dates": claim("container", information.get("CreationDate")),
            "has_text": _has_text(document),
        }
    finally:
        document.close()


def _has_text(document: Any) -> bool | None:
    """Return whether one of the first pages has a letter; None when no page could be read."""
    from pypdfium2 import PdfiumError

    seen = None
    for number in range(min(len(document), PAGES_LOOKED_AT)):
        try:
            page = document[number]
            text = page.get_textpage()
            count = text.count_chars()
            found = count and any(
                sign.isalnum() for sign in text.get_text_range(0, min(count, 200))
            )
            text.close()
            page.close()
        except PdfiumError:
            continue
        if found:
            return True
        seen = False
    return seen
