"""What a name and the first bytes say about a content, and which of them is believed."""

from dataclasses import dataclass, replace
from functools import cache

from models.domain.fingerprint import Media
from tasks.fingerprint.known_types import KNOWN_TYPES

UNKNOWN = "unknown"
EMPTY = "empty"
_BY_FILE_NAME = {
    "makefile": "cmake",
    "dockerfile": "shell",
    "license": "txt",
    "readme": "txt",
    "copying": "txt",
    "changelog": "txt",
    ".gitignore": "ignorefile",
    ".gitattributes": "ignorefile",
    ".dockerignore": "ignorefile",
    ".env": "env",
    ".ds_store": "dsstore",
}
"""Files whose whole name is their type, lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """One type of content.

    Attributes:
        label: its name here; Magika's, where Magika knows it.
        signatures: labels of signatures that a file of this type may show.
        is_lenient: there is no signature to rely on, so that none found contradicts nothing.
    """

    label: str
    media: Media
    mime: str
    signatures: frozenset[str]
    is_lenient: bool
    extensions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a content is taken for.

    Attributes:
        is_settled: extension and signature agree, or one of them is enough; otherwise Magika is
            asked.
        signature: what the first bytes showed.
        missing: the type that the name claims and the first bytes do not show; nothing else is
            known of the content.
    """

    label: str
    is_settled: bool
    extension_matches: bool
    signature: str | None = None
    missing: str | None = None


def _parse(line: str) -> ContentType:
    label, media, mime, signatures, extensions = (part.strip() for part in line.split("|"))
    marks = signatures.split()
    shown = {label if mark == "=" else mark for mark in marks if mark != "?"}
    return ContentType(
        label=label,
        media=Media(media),
        mime=mime,
        signatures=frozenset(shown),
        is_lenient="?" in marks,
        extensions=tuple(extensions.split()),
    )


@cache
def content_types() -> dict[str, ContentType]:
    """Return every type by its label."""
    types = [_parse(line) for line in KNOWN_TYPES.strip().splitlines()]
    return {content_type.label: content_type for content_type in types}


@cache
def _by_extension() -> dict[str, tuple[ContentType, ...]]:
    found: dict[str, tuple[ContentType, ...]] = {}
    for content_type in content_types().values():
        for extension in content_type.extensions:
            found[extension] = (*found.get(extension, ()), content_type)
    return found


def named_types(key: str) -> tuple[ContentType, ...]:
    """Return the types the name of a file claims, the likeliest first; () when it says nothing."""
    name = key.rsplit("/", 1)[-1].lower()
    if name in _BY_FILE_NAME:
        return (content_types()[_BY_FILE_NAME[name]],)
    _, dot, extension = name.rpartition(".")
    return _by_extension().get(extension, ()) if dot else ()


def media_of(label: str, group: str = "") -> Media:
    """Return the coarse kind of a label.

    Args:
        label: one of `content_types()`, or one that only Magika knows.
        group: Magika's group of that label.
    """
    known = content_types().get(label)
    if known is not None:
        return known.media
    groups = {member.value: member for member in Media} | {"text": Media.DOCUMENT}
    return groups.get(group, Media.OTHER)


def mime_of(label: str, fallback: str = "") -> str:
    """Return the media type of a label; the fallback, or octet-stream, when it is not ours."""
    known = content_types().get(label)
    return known.mime if known else fallback or "application/octet-stream"


def decide(key: str, signature: str | None) -> Decision:
    """Return what name and signature together say.

    Content is believed before the name: a signature of its own wins over a wrong extension. A
    signature that many types share (`zip`, `ole`, `text`, ...) is refined by a name that fits it.

    Args:
        key: path below the root.
        signature: label of `signatures.sniff`, or None when no signature was found.
    """
    named = named_types(key)
    if signature is None:
        return _without_signature(named)
    for found in named:
        if signature in found.signatures:
            return Decision(
                label=found.label, is_settled=True, extension_matches=True, signature=signature
            )
    is_text = signature == "text"
    lenient = next((found.label for found in named if found.is_lenient), "txt")
    return Decision(
        label=lenient if is_text else signature,
        is_settled=not is_text,
        extension_matches=not named,
        signature=signature,
    )


def _without_signature(named: tuple[ContentType, ...]) -> Decision:
    for found in named:
        if found.is_lenient:
            return Decision(label=found.label, is_settled=True, extension_matches=True)
    return Decision(
        label=UNKNOWN,
        is_settled=False,
        extension_matches=not named,
        missing=named[0].label if named else None,
    )


def with_model(decision: Decision, key: str, label: str) -> Decision:
    """Return an open decision after Magika was asked.

    Args:
        decision: the open one.
        key: path below the root.
        label: Magika's answer; `unknown` when it abstained.
    """
    named = named_types(key)
    if label == UNKNOWN:
        return replace(decision, is_settled=True)
    is_named = label in {content_type.label for content_type in named}
    return replace(
        decision,
        label=label,
        is_settled=True,
        extension_matches=is_named or not named,
        missing=None,
    )
