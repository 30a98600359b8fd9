"""Rules for paths and names: what users may point at, what we may write, what counts as equal."""

import hashlib
import re
import unicodedata
from urllib.parse import unquote

from models.domain.errors import UnsafePathError
from models.domain.organizing import RESERVED_PREFIX

MAX_PATH_BYTES = 1024
"""Longest path a user may give (RELIABILITY: confining); also S3's limit for a key."""

MAX_NAME_BYTES = 255
"""Longest name of ext4, XFS, APFS and NTFS (NAME_MAX), counted in UTF-8."""

_DECODINGS = 3
"""How often `%` escapes are undone when looking for a hidden `..`; nobody decodes more often."""

_RESERVED_STEMS = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\Z", re.IGNORECASE
)
"""Device names of Windows, whatever extension follows (Microsoft, Naming Files, Paths)."""

_MAX_EXTENSION = 16
"""Longest ending taken for an extension, in characters, the dot included."""

_TAR_EXTENSION = re.compile(r"\.tar\.[a-z0-9]{1,4}\Z", re.IGNORECASE)


def confine(user_path: str) -> str:
    """Return the key, below a root, that a path typed by a user names.

    A leading `/` is the root's; `.` and repeated slashes say nothing. Nothing is expanded, decoded
    or globbed: `[2024]`, `*` and `~` are names. The empty string and `/` are the root itself.

    Raises:
        UnsafePathError: the path has a `..` part (also in disguise: percent-encoded, full-width,
            padded with spaces or dots), `::`, `://`, a backslash, control characters, text that is
            no Unicode, our own folder, or more than 1,024 bytes.
    """
    _refuse_characters(user_path)
    if len(user_path.encode("utf-8")) > MAX_PATH_BYTES:
        raise UnsafePathError(f"a path may have {MAX_PATH_BYTES} bytes at most")
    decoded = user_path
    for _ in range(_DECODINGS):
        following = unquote(decoded, errors="replace")
        if following == decoded:
            break
        decoded = following
        _refuse_characters(decoded)
        _refuse_parts(decoded)
    _refuse_parts(unicodedata.normalize("NFKC", decoded).replace("\\", "/"))
    _refuse_parts(user_path)
    return "/".join(part for part in user_path.split("/") if part not in {"", "."})


def _refuse_characters(text: str) -> None:
    for wrong in ("::", "://", "\\"):
        if wrong in text:
            raise UnsafePathError(f"a path may not have {wrong!r} in it; write a/b, no URL")
    for letter in text:
        if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}:
            raise UnsafePathError(f"a path may not have the character U+{ord(letter):04X} in it")


def _refuse_parts(path: str) -> None:
    for part in path.split("/"):
        if part not in {"", "."} and not part.strip(" ."):
            raise UnsafePathError("a path may not have a part of dots or spaces only, such as `..`")
        if fold(part.rstrip(" .")) == RESERVED_PREFIX:
            raise UnsafePathError(f"{RESERVED_PREFIX} is Fileorganizer's own folder")


def fold(name: str) -> str:
    """Return the collision key of a name or key: equal for names some disk takes for one.

    Canonical caseless matching (Unicode 15, section 3.13, D145), in composed form; case folding is
    repeated because composing can bring a foldable character back.
    """
    folded = unicodedata.normalize("NFD", name).casefold()
    folded = unicodedata.normalize("NFD", folded).casefold()
    return unicodedata.normalize("NFC", folded)


def split_name(key: str) -> tuple[str, str, str]:
    """Return the folder (empty for the root), the stem and the extension with its dot.

    A leading dot starts no extension (`.bashrc`), nor does one before a space or far from the end
    (`Mr. Smith`); `.tar.gz` and its like are one. `folder/` + stem + extension is the key again.
    """
    folder, _, name = key.rpartition("/")
    tar = _TAR_EXTENSION.search(name)
    start = tar.start() if tar else name.rfind(".")
    ending = name[start:] if start > 0 else ""
    is_extension = 1 < len(ending) <= _MAX_EXTENSION and " " not in ending
    if not is_extension or not name[:start].strip("."):
        return folder, name, ""
    return folder, name[:start], ending


def parent_key(key: str) -> str:
    """Return the folder of a key, the empty string for the root."""
    return key.rpartition("/")[0]


def join_key(*parts: str) -> str:
    """Return parts joined by `/`; empty ones (the root) vanish.

    Raises:
        UnsafePathError: a part is absolute, or has a `.`, `..` or empty component, or a NUL.
    """
    kept = [part for part in parts if part]
    for part in kept:
        if "\0" in part or any(piece in {"", ".", ".."} for piece in part.split("/")):
            raise UnsafePathError(f"not a relative path: {part!r}")
    return "/".join(kept)


def safe_component(name: str) -> str:
    """Return a name every disk can hold, equal to `name` wherever that already is one.

    Changed visibly: slashes, backslashes, control characters and what is no Unicode become `_`, so
    does a dot or space at the end; a Windows device name gets `_` after its stem; an overlong name
    keeps its extension and ends in `~` and 8 digits of its SHA-256, so that two overlong names stay
    two. Applying it twice changes nothing more.
    """
    cleaned = "".join("_" if _is_unwritable(letter) else letter for letter in name)
    bare = cleaned.rstrip(" .")
    cleaned = bare + "_" * (len(cleaned) - len(bare))
    if not cleaned:
        return "_"
    if fold(cleaned) == RESERVED_PREFIX:
        cleaned = f"_{cleaned}"
    stem, dot, rest = cleaned.partition(".")
    if _RESERVED_STEMS.match(stem.rstrip(" ")):
        cleaned = f"{stem.rstrip(' ')}_{dot}{rest}"
    return _shortened(cleaned)


def _is_unwritable(letter: str) -> bool:
    return letter in "/\\" or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}


def _shortened(name: str) -> str:
    if len(name.encode("utf-8")) <= MAX_NAME_BYTES:
        return name
    _, stem, extension = split_name(name)
    mark = f"~{hashlib.sha256(name.encode('utf-8')).hexdigest()[:8]}"
    room = MAX_NAME_BYTES - len(mark) - len(extension.encode("utf-8"))
    kept = stem.encode("utf-8")[:room].decode("utf-8", "ignore")
    return f"{kept}{mark}{extension}"
