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
from models.domain.fingerprint import Fingerprint, Media, Problem
from models.domain.search import SCAN_VERSION, TEXT_CHARACTERS, TEXT_VERSION, ContentText
from models.domain.spoken_facts import spoken_facts
from tasks.fingerprint.content_types import content_types
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT, readable_labels
from tasks.fingerprint.ports import ByteSource, Parser
from warehouse.schemas.arrow import arrow_schema, to_rows

compute: Any = pc  # the stubs know too few of its overloads

LARGEST_PLAIN = 4 << 20
"""Bytes read of source code and data, whose text is the content itself."""
_RANGE_BYTES = 1 << 20
SLICE_ROWS = 20_000
"""Rows turned into objects at a time: some 40 MB."""


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
    return text_contents(fingerprints, is_in_labels(fingerprints, labels))


def wanted_texts(fingerprints: pa.Table, categories: pa.Table, *, below: float) -> pa.Table:
    """Return the contents that nothing certain was said of and whose text can be read.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        categories: (n,) rows of `CategoryRow` of the same files.
        below: confidence from which a category needs no text.

    Returns:
        (m,) rows of `TextContent`, each content once, sorted by content.
    """
    unsure = categories.filter(compute.less(categories["confidence_ratio"], below))
    keys = unsure["key"].combine_chunks().cast(pa.string())
    labels = pa.array(sorted(readable_labels()), pa.string())
    is_unsure = compute.is_in(fingerprints["key"], value_set=keys)
    return text_contents(fingerprints, compute.and_(is_unsure, is_in_labels(fingerprints, labels)))


def is_in_labels(fingerprints: pa.Table, labels: Any) -> Any:
    """Return which files are of some labels and not too large to be read for their text."""
    return compute.and_(
        compute.is_in(fingerprints["content_label"], value_set=labels),
        compute.less_equal(fingerprints["size_bytes"], LARGEST_DOCUMENT),
    )


def text_contents(fingerprints: pa.Table, keep: Any) -> pa.Table:
    """Return the contents of some files, each once, with the first file that holds it.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        keep: (n,) which; files with a problem are left out.

    Returns:
        (m,) rows of `TextContent`, sorted by content.
    """
    for condition in (
        compute.is_valid(fingerprints["sha256"]),
        compute.is_null(fingerprints["problem"]),
    ):
        keep = compute.and_(keep, condition)
    chosen = fingerprints.filter(keep)
    chosen = chosen.sort_by([("sha256", "ascending"), ("key", "ascending")]).combine_chunks()
    hashes = chosen["sha256"].combine_chunks()
    if len(hashes) > 1:
        is_first = compute.not_equal(hashes.slice(1), hashes.slice(0, len(hashes) - 1))
        chosen = chosen.filter(pa.chunked_array([pa.array([True]), is_first]))
    schema = arrow_schema(TextContent)
    columns: dict[str, Any] = {name: chosen[name] for name in _NAMED}
    columns["label"] = chosen["content_label"]
    columns["facts"] = pa.array(_facts(chosen), pa.string())
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


_NAMED = ("sha256", "key", "size_bytes", "version", "title")


def _facts(files: pa.Table) -> list[str]:
    """Return what the metadata of each file say, some at a time so that memory stays bounded."""
    return [
        spoken_facts(file)
        for start in range(0, files.num_rows, SLICE_ROWS)
        for file in to_rows(files.slice(start, SLICE_ROWS), Fingerprint)
    ]


def read_texts(
    contents: Sequence[TextContent],
    *,
    source: ByteSource,
    parser: Parser,
    threads: int,
    scans: bool = False,
) -> list[ContentText]:
    """Return one row for each content, in the order given; none is ever an error.

    Args:
        contents: which.
        source: where the files are.
        parser: the parsing children.
        threads: files in work at a time.
        scans: whether their text is in their pixels.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_read, source=source, parser=parser, scans=scans)
    with ThreadPoolExecutor(threads, thread_name_prefix="texts") as pool:
        return list(pool.map(work, contents))


def _read(content: TextContent, *, source: ByteSource, parser: Parser, scans: bool) -> ContentText:
    text, characters, problem = "", 0, None
    try:
        text, characters, problem = _made(content, source, parser, scans=scans)
    except BusyError:
        raise
    except FileOrganizerError as error:
        problem = Problem.UNREADABLE.because(type(error).__name__)
    return ContentText(
        sha256=content.sha256,
        version=SCAN_VERSION if scans else TEXT_VERSION,
        title=content.title,
        sample=text,
        characters=characters,
        problem=problem,
    )


def _made(
    content: TextContent, source: ByteSource, parser: Parser, *, scans: bool
) -> tuple[str, int, str | None]:
    is_document = scans or content.label in readable_labels()
    count = content.size_bytes if is_document else min(content.size_bytes, LARGEST_PLAIN)
    blob = source.read_range(content.key, 0, count)

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    kind = "scan_text" if scans else "search_text"
    request = Request(kind=kind, label=content.label, size_bytes=count)
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
