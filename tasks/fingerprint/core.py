"""From what was read and parsed to one row: pure."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from models.domain.errors import (
    BusyError,
    FileOrganizerError,
    ForbiddenError,
    MissingError,
    StaleError,
)
from models.domain.fingerprint import Fingerprint, Media, Problem
from models.domain.manifest import ManifestRow
from tasks.fingerprint.content_types import (
    EMPTY,
    UNKNOWN,
    Decision,
    decide,
    media_of,
    mime_of,
    named_types,
    with_model,
)
from tasks.fingerprint.dates import DateClaim, choose
from tasks.fingerprint.parsing import Facts, Request, parser_kind
from tasks.fingerprint.perceptual.documents import readable_labels
from tasks.fingerprint.reading import Content
from tasks.fingerprint.signatures import HEAD_BYTES, sniff

MODEL_BYTES = 4096
"""Magika looks at this much of the beginning and of the end."""
_WEAK_PACKAGES = frozenset({"jar", "kmz"})
"""Kinds shown by one member that other packages carry too: believed only without a name."""
_TEXTS = ("camera_make", "camera_model", "title", "artist", "album", "genre", "sender", "problem")
_COUNTS = ("width", "height", "track", "channels")
_NUMBERS = ("duration_s", "latitude", "longitude")
_LISTED = tuple(field.name for field in fields(ManifestRow))
_SHA256 = re.compile(r"[0-9a-f]{64}")


def unreadable(row: ManifestRow, error: FileOrganizerError) -> Fingerprint:
    """Return the row of a file that could not be read: counted, never touched."""
    deferred = isinstance(error, StaleError | BusyError)
    kind = Problem.DEFERRED if deferred else Problem.UNREADABLE
    reasons: dict[type[FileOrganizerError], str] = {
        MissingError: "it was gone when it was to be read",
        ForbiddenError: "it may not be read: check its owner and permissions",
    }
    reason = reasons.get(type(error), str(error) or type(error).__name__)
    return _row(row, mime=mime_of(UNKNOWN), problem=kind.because(reason))


def type_of(row: ManifestRow, content: Content, ask_model: Callable[[bytes], str]) -> Decision:
    """Return what a content is taken for: name and signature first, the model where they fail.

    Args:
        row: the file as listed.
        content: its bytes.
        ask_model: Magika; called only where name and signature disagree or know nothing.
    """
    if not row.size_bytes:
        return Decision(label=EMPTY, is_settled=True, extension_matches=True)
    decision = decide(row.key, sniff(bytes(content.blob[:HEAD_BYTES])))
    if decision.is_settled:
        return decision
    if len(content.blob) <= 2 * MODEL_BYTES and not content.tail:
        sample = bytes(content.blob)
    else:
        end = bytes((content.tail or content.blob)[-MODEL_BYTES:])
        sample = bytes(content.blob[:MODEL_BYTES]) + end
    return with_model(decision, row.key, ask_model(sample))


WORDY_KINDS = frozenset({"zip", "ole", "pdf", "mail", "text"})
"""Kinds of parsers that may find a document, whose words can be signed."""


def request_for(
    decision: Decision, size_bytes: int, *, read_gps: bool = False, has_words: bool = False
) -> Request | None:
    """Return what to ask a parser, or None when there is nothing to be learned.

    Args:
        decision: what the content is taken for.
        size_bytes: its size.
        read_gps: whether its position may be read.
        has_words: whether a text without any facts is asked for its words.
    """
    kind = parser_kind(decision.label, decision.signature)
    if kind is None and has_words and decision.label in readable_labels():
        kind = "text"
    if kind is None:
        return None
    return Request(kind=kind, label=decision.label, size_bytes=size_bytes, read_gps=read_gps)


def fingerprint(
    row: ManifestRow,
    content: Content,
    decision: Decision,
    facts: Facts,
    *,
    latest: datetime,
    thumbnail: str | None = None,
) -> Fingerprint:
    """Return the row of a file that was read.

    Args:
        row: the file as listed.
        content: what the read gave.
        decision: what it is taken for.
        facts: what a parser said; {} when none was asked. Not trusted: checked here.
        latest: naive; clocks after it are wrong.
        thumbnail: key of its thumbnail in the lake.
    """
    refined = _refined(decision, row.key, facts.get("label"))
    claims = [_claim(item) for item in facts.get("dates", [])]
    date = choose(claims, key=row.key, latest=latest)
    columns = _checked(facts)
    if decision.missing is not None:
        reason = f"it does not begin as {decision.missing} does"
        columns["problem"] = Problem.CORRUPT.because(reason)
    return _row(
        row,
        md5=content.md5,
        sha256=content.sha256,
        mime=mime_of(refined.label),
        content_label=refined.label,
        media=_media(refined, row.key),
        extension_matches=refined.extension_matches,
        captured_at=date.captured_at,
        captured_offset_min=date.offset_min,
        captured_source=date.source,
        captured_flag=date.flag,
        thumbnail=thumbnail,
        **columns,
    )


def _row(row: ManifestRow, **columns: Any) -> Fingerprint:
    listed = {
        name: getattr(row, name) for name in _LISTED
    }  # `asdict` copies deeply: ten times slower
    return Fingerprint(**listed, **columns)


def _media(decision: Decision, key: str) -> Media:
    """Return the coarse kind; the name's, where the content says nothing at all."""
    named = named_types(key)
    if named and (decision.label == EMPTY or decision.missing is not None):
        return named[0].media
    return media_of(decision.label)


def _refined(decision: Decision, key: str, label: object) -> Decision:
    """Return the decision after a look into the package."""
    if not isinstance(label, str) or label == decision.label:
        return decision
    named = {content_type.label for content_type in named_types(key)}
    if label in _WEAK_PACKAGES and named and label not in named:
        return decision
    return replace(decision, label=label, extension_matches=not named or label in named)


def _claim(item: Any) -> DateClaim:
    return DateClaim(
        source=str(item["source"]), text=str(item["text"]), offset=str(item.get("offset", ""))
    )


def _checked(facts: Facts) -> dict[str, Any]:
    """Return the columns among the facts whose values are of the column's type."""
    columns: dict[str, Any] = {}
    for name in _TEXTS:
        if isinstance(facts.get(name), str):
            columns[name] = facts[name]
    for name in _COUNTS:
        value = facts.get(name)
        if isinstance(value, int) and 0 <= value < 1 << 31:
            columns[name] = value
    for name in _NUMBERS:
        value = facts.get(name)
        if isinstance(value, float | int):
            columns[name] = float(value)
    if isinstance(facts.get("has_text"), bool):
        columns["has_text"] = facts["has_text"]
    return columns


def thumbnail_uri(sha256: str) -> str:
    """Return where in the lake the thumbnail of a content is.

    Raises:
        ValueError: `sha256` is none.
    """
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return f"thumbnails/{sha256[:2]}/{sha256}.webp"


def merge(parts: list[pa.Table], known: pa.Table) -> pa.Table:
    """Return all fingerprints of a root, sorted by key.

    Args:
        parts: (n_i,) rows of Fingerprint that were made now, in any order.
        known: (m,) rows that were carried over.

    Returns:
        (sum n_i + m,) rows.
    """
    return pa.concat_tables([known, *parts]).sort_by("key").combine_chunks()
