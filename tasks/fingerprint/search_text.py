"""Inside a child: the text of a content, as much of it as is searched."""

import json
import re

from models.domain.search import TEXT_CHARACTERS
from tasks.fingerprint.parsing import Facts, Request
from tasks.fingerprint.perceptual.documents import decoded, document_text, readable_labels
from tasks.fingerprint.sources import FetchedFile

_GAP = re.compile(r"[\s\x00-\x1f\x7f]+")
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
"""Pictures and keys written as letters: nobody searches for them."""


def read_search_text(request: Request, file: FetchedFile) -> Facts:
    """Return the text of a document as JSON, `{"text": ..., "characters": ...}`.

    Source code and data, which no library reads, are decoded as they are.
    """
    content = file.content()
    is_known = request.label in readable_labels()
    text = (
        document_text(content, request.label, at_most=TEXT_CHARACTERS)
        if is_known
        else decoded(content)
    )
    answer = {"text": searchable(text), "characters": len(text)}
    return {"thumbnail_bytes": json.dumps(answer).encode()}


def searchable(text: str) -> str:
    """Return the beginning of a text on one line, without what no database keeps or asks for."""
    plain = _GAP.sub(" ", _ENCODED.sub(" ", text[: 4 * TEXT_CHARACTERS])).strip()
    return plain.encode("utf-8", "replace").decode()[:TEXT_CHARACTERS]
