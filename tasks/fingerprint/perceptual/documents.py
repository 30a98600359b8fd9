"""The text of a document: kreuzberg (MIT from 4.10.1) for office formats, pypdfium2 for PDF.

kreuzberg's own PDF reader unpacks a library to disk first, which a confined child may not.
"""

import codecs
from collections.abc import Iterator

LARGEST_DOCUMENT = 64 << 20
"""Bytes of a document that is read for its text."""
PDF = frozenset({"pdf", "ai"})
"""Labels of documents that pypdfium2 reads."""
_PAGES = 500
"""Pages of a PDF whose text is read: what a child does in some five seconds."""

_MIMES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "xls": "application/vnd.ms-excel",
    "outlook": "application/vnd.ms-outlook",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "eml": "message/rfc822",
    "html": "text/html",
    "xml": "application/xml",
    "markdown": "text/markdown",
    "org": "text/x-org",
    "rst": "text/x-rst",
}
"""Media type that the library knows each of our content labels by."""
_PLAIN = frozenset({"text", "txt", "csv", "tsv", "json", "jsonl", "latex", "tex", "srt", "vtt"})
"""Labels whose text is the content itself."""
_DECODED = frozenset({"html", "xml", "markdown", "org", "rst"})
"""Labels of text in any encoding, given to the library in UTF-8."""
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_CONTROL = 0.02
"""Share of NUL characters above which a decoded text is in another encoding."""


def readable_labels() -> frozenset[str]:
    """Return the content labels whose text can be read."""
    return frozenset(_MIMES) | _PLAIN | PDF


def decoded(content: bytes) -> str:
    """Return bytes as text: by their mark, else UTF-8, UTF-16 or 32 by their zeros, else cp1252."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.count("\0") <= len(text) * _NO_CONTROL:
        return text
    head = content[:4096]
    if head.count(0) > len(head) * 0.2:
        wide = "utf-32" if head.count(0) > len(head) * 0.6 else "utf-16"
        order = "le" if head[:1] != b"\0" else "be"
        return content.decode(f"{wide}-{order}", errors="replace")
    return content.decode("cp1252", errors="replace")


def document_text(content: bytes, label: str, *, at_most: int | None = None) -> str:
    """Return the text of a document; OCR is not tried.

    Args:
        content: the whole document, at most `LARGEST_DOCUMENT` bytes.
        label: what it is, one of `readable_labels`.
        at_most: characters after which no further page of a PDF is read; all pages by default.

    Raises:
        Exception: the library's, when the document cannot be read.
    """
    if label in _PLAIN:
        return decoded(content)
    if label in PDF:
        return "\n".join(_pdf_pages(content, at_most))
    if label in _DECODED:
        content = decoded(content).encode("utf-8", errors="replace")
    from kreuzberg import extract_bytes_sync

    return extract_bytes_sync(content, _MIMES[label]).content


def _pdf_pages(content: bytes, at_most: int | None) -> Iterator[str]:
    """Yield the text layer of each page; a page without one is empty."""
    from pypdfium2 import PdfDocument

    with PdfDocument(content) as document:
        characters = 0
        for number in range(min(len(document), _PAGES)):
            if at_most is not None and characters >= at_most:
                return
            text = document[number].get_textpage().get_text_bounded()
            characters += len(text)
            yield text
