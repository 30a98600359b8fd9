"""Signatures as bytes: what a parsing child sends, and what is kept by content.

Layouts are fixed and checked to the byte, because a child that met a hostile file is not trusted.
"""

import struct
from collections.abc import Sequence

from models.domain.fingerprint import Problem
from models.domain.near import (
    SIGNATURE_VERSION,
    THUMB_SIDE,
    VARIANTS,
    FilmFrame,
    PictureView,
    SoundPrint,
    TextPrint,
)

NearRow = PictureView | FilmFrame | SoundPrint | TextPrint

UNNAMED = ""
"""Whose signature it is where nobody knows the SHA-256; whoever keeps the payload does."""
MAXIMUM_PAYLOAD = 1 << 20
"""Bytes of the largest signature: a novel's shingles take 400 KB."""

_VIEW = struct.Struct(f"<BBH8s8s32s{8 * len(VARIANTS)}s{THUMB_SIDE * THUMB_SIDE}s")
_FRAME = struct.Struct("<QQB8s32s")
_SOUND = struct.Struct("<Q")
_TEXT = struct.Struct("<Q")
_KINDS: dict[type, bytes] = {
    PictureView: b"P",
    FilmFrame: b"F",
    SoundPrint: b"S",
    TextPrint: b"T",
}


_PROBLEM = b"!"
_LONGEST_PROBLEM = 1000
"""Bytes of a reason."""


def pack_problem(problem: str) -> bytes:
    """Return what a child answers for a content that cannot be signed, however often one tries."""
    return _PROBLEM + problem.encode(errors="replace")[:_LONGEST_PROBLEM]


def checked(made: bytes) -> tuple[bytes, str | None]:
    """Return the payload that a child made, b"" where there is none, and why there is none."""
    if made.startswith(_PROBLEM):
        return b"", made[1:].decode(errors="replace")
    try:
        unpack(made, UNNAMED)
    except ValueError as error:
        return b"", Problem.CORRUPT.because(f"its parser answered nonsense: {error}")
    return made, None


def pack(rows: Sequence[NearRow]) -> bytes:
    """Return the bytes of one content's signature; b"" when it has none.

    Args:
        rows: all of one type and content.
    """
    if not rows:
        return b""
    return _KINDS[type(rows[0])] + b"".join(_packed(row) for row in rows)


def _packed(row: NearRow) -> bytes:
    if isinstance(row, PictureView):
        return _VIEW.pack(
            row.view,
            row.quality,
            row.shown_permille,
            row.phash,
            row.dhash,
            row.pdq,
            row.hashes,
            row.thumb,
        )
    if isinstance(row, FilmFrame):
        return _FRAME.pack(row.at_ms, row.duration_ms, row.quality, row.phash, row.pdq)
    if isinstance(row, SoundPrint):
        return _SOUND.pack(row.duration_ms) + row.codes
    return _TEXT.pack(row.words) + row.shingles


def unpack(payload: bytes, sha256: str) -> list[NearRow]:
    """Return the signature of a content; [] when it has none.

    Raises:
        ValueError: the bytes are no signature.
    """
    if not payload:
        return []
    if len(payload) > MAXIMUM_PAYLOAD:
        raise ValueError("larger than any signature")
    kind, body = payload[:1], payload[1:]
    if not body:
        raise ValueError("a kind and nothing of it")
    try:
        if kind == b"P":
            return [_view(sha256, values) for values in _VIEW.iter_unpack(body)]
        if kind == b"F":
            return [_frame(sha256, values) for values in _FRAME.iter_unpack(body)]
        if kind == b"S":
            return [_sound(sha256, body)]
        if kind == b"T":
            return [_text(sha256, body)]
    except struct.error as error:
        raise ValueError("cut off") from error
    raise ValueError("of no known kind")


def _view(
    sha256: str, values: tuple[int, int, int, bytes, bytes, bytes, bytes, bytes]
) -> PictureView:
    view, quality, shown_permille, phash, dhash, pdq, hashes, thumb = values
    return PictureView(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        view=view,
        phash=phash,
        dhash=dhash,
        pdq=pdq,
        quality=quality,
        shown_permille=shown_permille,
        hashes=hashes,
        thumb=thumb,
    )


def _frame(sha256: str, values: tuple[int, int, int, bytes, bytes]) -> FilmFrame:
    at_ms, duration_ms, quality, phash, pdq = values
    return FilmFrame(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        at_ms=at_ms,
        duration_ms=duration_ms,
        quality=quality,
        phash=phash,
        pdq=pdq,
    )


def _whole_words(body: bytes, start: int) -> bytes:
    words = body[start:]
    if not words or len(words) % 4:
        raise ValueError("no whole number of codes")
    return words


def _sound(sha256: str, body: bytes) -> SoundPrint:
    (duration_ms,) = _SOUND.unpack_from(body)
    return SoundPrint(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        duration_ms=duration_ms,
        codes=_whole_words(body, _SOUND.size),
    )


def _text(sha256: str, body: bytes) -> TextPrint:
    (words,) = _TEXT.unpack_from(body)
    return TextPrint(
        sha256=sha256,
        version=SIGNATURE_VERSION,
        words=words,
        shingles=_whole_words(body, _TEXT.size),
    )
