"""Texts of contents: which are wanted, and one batch of them, made in the parsing children."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.embeddings import EVIDENCE_VERSION, TextContent, TextEvidence, TextSource
from models.domain.errors import BusyError, FileOrganizerError
from models.domain.fingerprint import Problem
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.perceptual.documents import LARGEST_DOCUMENT, readable_labels
from tasks.fingerprint.ports import ByteSource, Parser
from tasks.fingerprint.reading import KEPT_BYTES
from warehouse.schemas.arrow import arrow_schema

compute: Any = pc  # the stubs know too few of its overloads

MAXIMUM_CHARACTERS = 4000
"""A child that answers more has lost its way."""
_PLAIN = frozenset({"text", "txt", "csv", "tsv", "json", "jsonl", "latex", "tex", "srt", "vtt"})
"""Labels whose beginning is enough: a large text file is not read to its end."""
_PLAIN_BYTES = 256 * 1024
_RANGE_BYTES = 1 << 20


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
    labels = pa.array(sorted(readable_labels()), pa.string())
    keep = compute.is_in(
        fingerprints["key"], value_set=unsure["key"].combine_chunks().cast(pa.string())
    )
    for condition in (
        compute.is_in(fingerprints["content_label"], value_set=labels),
        compute.is_valid(fingerprints["sha256"]),
        compute.is_null(fingerprints["problem"]),
        compute.less_equal(fingerprints["size_bytes"], LARGEST_DOCUMENT),
    ):
        keep = compute.and_(keep, condition)
    names = ["sha256", "key", "content_label", "size_bytes", "version", "title"]
    chosen = fingerprints.filter(keep).select(names)
    chosen = chosen.rename_columns(["sha256", "key", "label", "size_bytes", "version", "title"])
    chosen = chosen.sort_by([("sha256", "ascending"), ("key", "ascending")]).combine_chunks()
    hashes = chosen["sha256"].combine_chunks()
    if len(hashes) > 1:
        is_first = compute.not_equal(hashes.slice(1), hashes.slice(0, len(hashes) - 1))
        chosen = chosen.filter(pa.chunked_array([pa.array([True]), is_first]))
    return chosen.cast(arrow_schema(TextContent)).combine_chunks()


def gather_texts(
    contents: Sequence[TextContent],
    known: Mapping[str, TextEvidence],
    *,
    source: ByteSource,
    parser: Parser,
    threads: int,
) -> list[TextEvidence]:
    """Return one row for each content, in the order given; none is ever an error.

    Args:
        contents: which.
        known: rows that were made before, by content; these files are not opened.
        source: where the files are.
        parser: the parsing children.
        threads: files in work at a time.

    Raises:
        BusyError: the storage, not some file, is occupied.
        BrokenError: no parser can be started.
    """
    work = partial(_gather, known=known, source=source, parser=parser)
    with ThreadPoolExecutor(threads, thread_name_prefix="evidence") as pool:
        return list(pool.map(work, contents))


def _gather(
    content: TextContent,
    *,
    known: Mapping[str, TextEvidence],
    source: ByteSource,
    parser: Parser,
) -> TextEvidence:
    if content.sha256 in known:
        return known[content.sha256]
    text, problem = "", None
    try:
        text, problem = _made(content, source, parser)
    except BusyError:
        raise
    except FileOrganizerError as error:
        problem = Problem.UNREADABLE.because(type(error).__name__)
    return TextEvidence(
        sha256=content.sha256,
        version=EVIDENCE_VERSION,
        title=content.title,
        text=text,
        source=TextSource.TEXT if text else TextSource.NONE,
        problem=problem,
    )


def _made(content: TextContent, source: ByteSource, parser: Parser) -> tuple[str, str | None]:
    is_plain = content.label in _PLAIN
    count = min(content.size_bytes, _PLAIN_BYTES if is_plain else max(KEPT_BYTES, LARGEST_DOCUMENT))
    blob = source.read_range(content.key, 0, count)

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(content.key, offset, min(length, _RANGE_BYTES))

    request = Request(kind="evidence_text", label=content.label, size_bytes=count)
    parsed = parser.parse(request, blob=blob, fetch=fetch)
    if source.stat(content.key).version != content.version:
        return "", Problem.DEFERRED.because("it changed since it was read")
    problem = parsed.facts.get("problem")
    if isinstance(problem, str) and problem:
        return "", problem
    return _checked(parsed.thumbnail)


def _checked(payload: bytes) -> tuple[str, str | None]:
    """Return the text a child sent; a child that met a hostile file is not believed."""
    try:
        text = json.loads(payload)["text"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str) or len(text) > MAXIMUM_CHARACTERS:
        return "", Problem.CORRUPT.because("its parser answered nonsense")
    return text.encode("utf-8", "replace").decode(), None
