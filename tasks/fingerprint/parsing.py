"""Inside a child: one content in, plain facts out, whatever happens."""

import contextlib
import importlib
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from models.domain.fingerprint import Problem
from models.domain.near_payload import pack_problem
from tasks.fingerprint.sources import FetchedFile, TooMuchError

Facts = dict[str, Any]
"""Columns of `Fingerprint` by name, and `label`, `dates` (claims) and `problem` where there are."""

_PARSERS = {
    "image": "tasks.fingerprint.images",
    "raw": "tasks.fingerprint.images",
    "audio": "tasks.fingerprint.recordings",
    "video": "tasks.fingerprint.recordings",
    "pdf": "tasks.fingerprint.pdf",
    "zip": "tasks.fingerprint.packages",
    "ole": "tasks.fingerprint.packages",
    "mail": "tasks.fingerprint.mail",
    "archive": "tasks.fingerprint.archives",
    "text": "tasks.fingerprint.perceptual.reading",
    "search_text": "tasks.fingerprint.search_text",
    "scan_text": "tasks.fingerprint.scan_text",
    "keyframes": "tasks.fingerprint.keyframes",
}
"""Module of each kind of parser; each has a function `read_<kind>(request, file) -> Facts`."""

MAXIMUM_TEXT = 500
"""Characters kept of a title or a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be parsed, and how.

    Attributes:
        kind: which parser, of `parser_kind`.
        label: what the content is taken for.
        size_bytes: size of the file.
        thumbnail: whether one is wanted.
        signature: whether one is wanted, to compare contents by.
        animation: whether one is wanted of an animated picture, too: all of it is decoded.
        read_gps: whether the position may be read.
    """

    kind: str
    label: str
    size_bytes: int
    thumbnail: bool = False
    signature: bool = False
    animation: bool = False
    read_gps: bool = False

    @property
    def decodes(self) -> bool:
        """Whether more than headers is needed."""
        return self.thumbnail or self.signature

    def document(self) -> dict[str, Any]:
        """Return the request as it travels."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Request":
        """Return the request that travelled."""
        return cls(**{name: document[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a parser found in one content.

    Attributes:
        facts: columns by name; `problem` where it failed.
        thumbnail: WebP, or b"" where there is none.
        signature: bytes of `near_payload`; None where none was made.
    """

    facts: Facts
    thumbnail: bytes = b""
    signature: bytes | None = None


_KINDS = {
    "image": "jpeg png apng gif webp bmp tiff heif avif ico cur icns psd jp2 tga pcx pbm qoi",
    "raw": "dng nef cr2 cr3 arw orf raf rw2 pef srw raw jxr",
    "audio": "mp3 mp2 mp1 aac m4a flac wav aiff ogg opus spx wma",
    "video": "mp4 qt 3gp mj2 mkv mka webm avi wmv asf flv mpegts mpeg ogv rm amr ac3 au caf ape"
    " wavpack mpc dts voc",
    "pdf": "pdf ai",
    "mail": "eml",
}


@cache
def _kinds_by_label() -> dict[str, str]:
    return {label: kind for kind, labels in _KINDS.items() for label in labels.split()}


def parser_kind(label: str, signature: str | None) -> str | None:
    """Return which parser reads a content, or None when none has anything to say.

    Packages are read by what they are, not by what they hold.
    """
    if signature in {"zip", "ole"}:
        return signature
    return _kinds_by_label().get(label)


def labels_of(kind: str) -> frozenset[str]:
    """Return the labels that a kind of parser reads."""
    return frozenset(_KINDS[kind].split())


def preload() -> None:
    """Load every parser once, before children are forked."""
    warnings.simplefilter("ignore")
    for name in sorted(set(_PARSERS.values())):
        module = importlib.import_module(name)
        prepare: Callable[[], None] = getattr(module, "prepare", lambda: None)
        prepare()


def parse(request: Request, file: FetchedFile) -> Answer:
    """Return what is to be said of one content.

    A parser that fails leaves a `problem`; nothing is raised but `MemoryError` twice over.
    """
    try:
        module = importlib.import_module(_PARSERS[request.kind])
        read: Callable[[Request, FetchedFile], Facts] = getattr(module, f"read_{request.kind}")
        facts = read(request, file)
    except Exception as error:  # noqa: BLE001 - the edge to foreign parsers; the reason is kept
        return Answer(facts={"problem": problem_of(error, request.label)})
    thumbnail, signature = facts.pop("thumbnail_bytes", b""), facts.pop("signature_bytes", None)
    if request.signature and signature is None and not facts.get("problem"):
        signature = _signed(replace(request, label=facts.get("label") or request.label), file)
    known = {name: value for name, value in facts.items() if value not in (None, "", [])}
    return Answer(facts=known, thumbnail=thumbnail, signature=signature)


def _signed(request: Request, file: FetchedFile) -> bytes | None:
    """Return the signature of a content that its parser did not make on the way."""
    reading = importlib.import_module("tasks.fingerprint.perceptual.reading")
    sign: Callable[[Request, FetchedFile], bytes | None] = reading.sign
    try:
        return sign(request, file)
    except Exception as error:  # noqa: BLE001 - the edge to foreign parsers; the reason is kept
        return pack_problem(problem_of(error, request.label))


_UNSUPPORTED = re.compile(r"unsupported|not supported|not implemented|unknown codec", re.IGNORECASE)


def problem_of(error: Exception, label: str) -> str:
    """Return what a parser's error says about the file."""
    if isinstance(error, MemoryError):
        return Problem.LIMITED.because("parsing it takes too much memory")
    if isinstance(error, TooMuchError):
        return Problem.LIMITED.because(describe(error))
    reason = f"cannot be parsed as {label}: {describe(error)}"
    is_variant = isinstance(error, NotImplementedError) or _UNSUPPORTED.search(str(error))
    return (Problem.UNSUPPORTED if is_variant else Problem.CORRUPT).because(reason)


def describe(error: BaseException) -> str:
    """Return an error in one short printable line, without addresses that differ each time."""
    text = clean(str(error)) or type(error).__name__
    start = text.find(" object at 0x")
    return (text if start < 0 else text[:start])[:200]


def clean(text: object) -> str | None:
    """Return a text fit for a table: no control characters, not endless; None if empty."""
    if text is None:
        return None
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text)[: 4 * MAXIMUM_TEXT])
    return " ".join(shown.split())[:MAXIMUM_TEXT] or None


def claim(source: str, text: object, offset: object = None) -> list[dict[str, str]]:
    """Return a date claim as it travels, in a list; [] when there is none."""
    with contextlib.suppress(ValueError):
        shown = clean(text)
        return [{"source": source, "text": shown, "offset": clean(offset) or ""}] if shown else []
    return []
