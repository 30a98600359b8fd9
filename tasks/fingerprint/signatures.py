"""What the first bytes of a file show: magic numbers, text in its encodings, and `filetype`."""

from tasks.fingerprint.magic_numbers import BRANDS, MAGIC, OGG_CODECS, RIFF_FORMS, TEXT_STARTS

HEAD_BYTES = 8192
"""Bytes looked at: two pages; the farthest magic number here, tar's, is at 257."""
MINIMUM_UTF16_BYTES = 16
"""Shorter runs of alternating zeros are as likely small numbers as text."""
MAXIMUM_ICONS = 64
"""Pictures in one icon; real ones have fewer than twenty."""

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\x0b\x0c\r\x08\x1b") + b"\x7f"
"""Bytes that no text has; `file` (magic(5)) draws the line at the same place."""
_NO_CONTROLS = dict.fromkeys(_CONTROLS)
_BOMS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def sniff(head: bytes) -> str | None:
    """Return the label of the signature a content shows.

    Args:
        head: its first `HEAD_BYTES`, or all of it.

    Returns:
        A label of `content_types`; `text` for plain text in any usual encoding; None when nothing
        is known.
    """
    if not head:
        return None
    if b"\x00" not in head:
        label = _textual(head)
        if label is not None:
            return label
    for offset, magic, label in MAGIC:
        if head.startswith(magic, offset):
            return label
    return _boxed(head) or _textual(head) or _loose(head) or _by_filetype(head)


def _boxed(head: bytes) -> str | None:
    """Containers that name their form after their magic."""
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12]) or BRANDS.get(head[8:11]) or "mp4"
    if head[4:8] in {b"moov", b"mdat", b"wide", b"pnot"}:
        return "qt"
    if head.startswith(b"OggS"):
        first_page = head[:256]
        return next((label for mark, label in OGG_CODECS if mark in first_page), "ogg")
    if head[:4] in {b"RIFF", b"RIFX", b"FORM", b"RF64"}:
        return RIFF_FORMS.get(head[8:12])
    if head.startswith(b"\x00\x00\x00\x0cjP  "):
        return "mj2" if head[20:24] == b"mjp2" else "jp2"
    return None


def decode_text(head: bytes) -> str | None:
    """Return the text of a head, or None when it is no text.

    Encodings without a mark are told apart by their zeros; 8-bit ones that are not UTF-8 are read
    as Latin-1, which never fails: enough to know that it is text and how it begins.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return _decode_wide(head[len(mark) :], encoding)
    if b"\x00" in head:
        return _decode_unmarked(head)
    if head.translate(None, _CONTROLS) != head:
        return None
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:  # a character cut in two by the end of the head
            return head[: error.start].decode()
        return head.decode("latin-1")


def _decode_wide(head: bytes, encoding: str) -> str | None:
    text = head[: len(head) // 4 * 4 or len(head)].decode(encoding, errors="replace")
    if text.translate(_NO_CONTROLS) != text or text[:-1].count("\ufffd"):
        return None
    return text


def _decode_unmarked(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of Western text is zero."""
    if len(head) < MINIMUM_UTF16_BYTES:
        return None
    even, odd = head[0::2], head[1::2]
    encoding = "utf-16-le" if odd.count(0) > even.count(0) else "utf-16-be"
    zeros, others = (odd, even) if encoding == "utf-16-le" else (even, odd)
    if 0 in others or zeros.count(0) * 2 < len(zeros):
        return None
    return _decode_wide(head, encoding)


def _textual(head: bytes) -> str | None:
    text = decode_text(head)
    if text is None:
        return None
    start = text[:1024].encode(errors="replace")
    return next((label for pattern, label in TEXT_STARTS if pattern.match(start)), "text")


def _loose(head: bytes) -> str | None:
    """Signatures too short to be asked before text."""
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # noqa: PLR2004 - MPEG sync
        return _mpeg_audio(head[1])
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "bmp"
    if head[:3] == b"\x00\x00\x01" or head[:3] == b"\x00\x00\x02":
        return _icon(head)
    return None


def _icon(head: bytes) -> str | None:
    """Windows icon or cursor: a short count of pictures, and a reserved zero in the first."""
    count = int.from_bytes(head[4:6], "little")
    if head[3:4] == b"\x00" and 0 < count <= MAXIMUM_ICONS and head[9:10] == b"\x00":
        return "ico" if head[2] == 1 else "cur"
    return None


def _mpeg_audio(second: int) -> str | None:
    """Layer of an MPEG audio frame, by the second byte of its header (ISO/IEC 11172-3)."""
    if second & 0x18 == 0x08:  # noqa: PLR2004 - the reserved version
        return None
    return ("aac", "mp3", "mp2", "mp1")[second >> 1 & 3]


def _by_filetype(head: bytes) -> str | None:
    import filetype

    kind = filetype.guess(head)
    return _FILETYPE_LABELS.get(kind.extension) if kind else None


_FILETYPE_LABELS = {
    "ico": "ico",
    "mpg": "mpeg",
    "mp3": "mp3",
    "aac": "aac",
    "mov": "qt",
    "mp4": "mp4",
    "m4v": "mp4",
    "heic": "heif",
    "avif": "avif",
    "jp2": "jp2",
    "tar": "tar",
    "Z": "unixcompress",
    "lz": "lz",
    "ps": "postscript",
    "eot": "eot",
    "dcm": "dicom",
}
"""Extensions `filetype` answers with, where our own table knew nothing, and our labels."""
