"""Texts of contents for searching: which can be read, and some of them, in the parsing children."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.embeddings import TextContent
from models.domain.errors import BusyError, FileOrganizerError
from models.domain.fingerprint import Media, Problem
from models.domain.search import TEXT_CHARACTERS, ContentText
from tasks.fingerprint.content_types import content_types
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT, readable_labels
from tasks.fingerprint.ports import ByteSource, Parser
from warehouse.schemas.arrow import arrow_schema

compute: Any = pc  # the stubs know too few of its overloads

LARGEST_PLAIN = 4 << 20
"""Bytes read of source code and data, whose text is the content itself."""
_RANGE_BYTES = 1 << 20


@cache
def searchable_labels() -> frozenset[str]:
    """Return the content labels that have a text: documents, and everything written by hand."""
    code = (each.label for each in content_types().values() if each.media is Media.CODE)
    return readable_labels() | frozenset(code)


def searchable_contents(fingerprints: pa.Table) -> pa.Table:
    """Return the contents that have a text, each once, with the first file that holds it.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.

    Returns:
        (m,) rows of `TextContent`, sorted by content.
    """
    labels = pa.array(sorted(searchable_labels()), pa.string())
    keep = compute.is_in(fingerprints["content_label"], value_set=labels)
    for condition in (
        compute.is_valid(fingerprints["sha256"]),
        compute.is_null(fingerprints["problem"]),
        compute.less_equal(fingerprints["size_bytes"], LARGEST_DOCUMENT),
    ):
        keep = compute.and_(keep, condition)
    names = ["sha256", "key", "content_label", "size_bytes", "version", "title"]
    schema = arrow_schema(TextContent)
    chosen = fingerprints.filter(keep).select(names).rename_columns(schema.names)
    chosen = chosen.sort_by([("sha256", "ascending"), ("key", "ascending")]).combine_chunks()
    hashes = chosen["sha256"].combine_chunks()
    if len(hashes) > 1:
        is_first = compute.not_equal(hashes.slice(1), hashes.slice(0, len(hashes) - 1))
        chosen = chosen.filter(pa.chunked_array([pa.array([True]), is_first]))
    return chosen.cast(schema).combine_chunks()


def read_texts(
    contents: Sequence[TextContent], *, source: ByteSource, parser: Parser, threads: int
) -> list[ContentText]:
    """Return one row for each content, in the order given; none is ever an error.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_read, source=source, parser=parser)
    with ThreadPoolExecutor(threads, thread_name_prefix="texts") as pool:
        return list(pool.map(work, contents))


def _read(content: TextContent, *, source: ByteSource, parser: Parser) -> ContentText:
    text, characters, problem = "", 0, None
    try:
        text, characters, problem = _made(content, source, parser)
    except BusyError:
        raise
    except FileOrganizerError as error:
        problem = Problem.UNREADABLE.because(type(error).__name__)
    return ContentText(
        sha256=content.sha256,
        title=content.title,
        sample=text,
        characters=characters,
        problem=problem,
    )


def _made(content: TextContent, source: ByteSource, parser: Parser) -> tuple[str, int, str | None]:
    is_document = content.label in readable_labels()
    count = content.size_bytes if is_document else min(content.size_bytes, LARGEST_PLAIN)
    blob = source.read_range(content.key, 0, count)

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    request = Request(kind="search_text", label=content.label, size_bytes=count)
    parsed = parser.parse(request, blob=blob, fetch=fetch)
    if source.stat(content.key).version != content.version:
        return "", 0, Problem.DEFERRED.because("it changed since it was read")
    problem = parsed.facts.get("problem")
    if isinstance(problem, str) and problem:
        return "", 0, problem
    return _checked(parsed.thumbnail)


def _checked(payload: bytes) -> tuple[str, int, str | None]:
    """Return what a child sent; a child that met a hostile file is not believed."""
    try:
        answer = json.loads(payload)
        text, characters = answer["text"], answer["characters"]
    except (ValueError, KeyError, TypeError):
        text, characters = None, 0
    is_count = type(characters) is int and 0 <= characters < 1 << 31
    if not isinstance(text, str) or len(text) > TEXT_CHARACTERS or "\0" in text or not is_count:
        return "", 0, Problem.CORRUPT.because("its parser answered nonsense")
    return text.encode("utf-8", "replace").decode(), characters, None
