"""From what a user or the database says to a store."""

import os
import re
from pathlib import Path
from unicodedata import category
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from models.domain.errors import ForbiddenError, InvalidError, UnsafePathError
from storage.access import access_for
from storage.keys import check_folder
from storage.store import Store

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")  # S3 user guide, bucket naming rules
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_FLAGS = ("fold_case", "normalize")


def canonical_url(text: str) -> str:
    """Return the one URL of a root: two spellings of one place give one text.

    Args:
        text: a path (relative to the current folder, or with `~`), `file:///path`,
            `s3://bucket/prefix`, or `memory://name` (tests; `?fold_case=1&normalize=1`).

    Returns:
        `file:///absolute/path` (links resolved, special bytes as %XX), `s3://bucket/prefix` or
        `memory://name`; no slash at the end.

    Raises:
        InvalidError: another scheme, or a malformed bucket or name; credentials in the text.
        UnsafePathError: NUL or control characters, `::`, or `..` below a bucket.
    """
    if not text or text != text.strip("\r\n"):
        raise InvalidError("a storage root is a path or s3://bucket/prefix; nothing was given")
    scheme = _SCHEME.match(text)
    if scheme is None:
        if "://" in text:
            raise UnsafePathError("a path may not have `://` in it, nor a URL another in front")
        return _path_url(Path(text).expanduser())
    rest = text[scheme.end() :]
    match scheme.group(1).lower():
        case "file":
            return _path_url(_path_in(rest))
        case "s3":
            return _s3_url(rest)
        case "memory":
            return _memory_url(rest)
        case other:
            raise InvalidError(
                f"{other}:// is no storage we know; give a path, file:// or s3://bucket/prefix"
            )


def local_path(url: str) -> Path:
    """Return the path behind a canonical `file://` URL.

    Raises:
        InvalidError: it is no such URL.
    """
    if not url.startswith("file:///"):
        raise InvalidError("not a file:// URL")
    return _path_in(url.removeprefix("file://"))


def make_local_root(url: str) -> None:
    """Make the folder of a canonical `file://` URL, for us alone; nothing is made elsewhere.

    Raises:
        ForbiddenError: it may not be made.
    """
    if url.startswith("file://"):
        path = local_path(url)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ForbiddenError(f"the folder {str(path)!r} cannot be made: {error}") from error


def open_store(url: str, *, s3_endpoint_url: str | None = None) -> Store:
    """Return the store at a root.

    Args:
        url: anything `canonical_url` takes.
        s3_endpoint_url: S3-compatible server; AWS when None. Credentials come from the usual AWS
            environment variables or profile, never from a URL; inside `storage.access.access_to`,
            endpoint and credentials are those of the connection.

    Raises:
        InvalidError, UnsafePathError: see `canonical_url`.
    """
    url = canonical_url(url)
    if url.startswith("file://"):
        from storage.local import LocalStore

        return LocalStore(local_path(url), url=url)
    if url.startswith("s3://"):
        from storage.s3 import S3Store
        from storage.s3_calls import S3Calls

        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        calls = S3Calls(s3_endpoint_url, access=access_for(url))
        return S3Store(bucket, prefix, url=url, calls=calls)
    from storage.memory import MemoryStore

    return MemoryStore(url)


def _refuse_controls(text: str) -> None:
    if "::" in text or any(category(letter) == "Cc" for letter in text):
        raise UnsafePathError("a URL may have neither `::` nor control characters")


def _path_in(rest: str) -> Path:
    if not rest.startswith("/"):
        raise InvalidError("file:// takes an absolute path on this machine: file:///folder")
    return Path(os.fsdecode(unquote_to_bytes(rest)))


def _path_url(path: Path) -> str:
    if "\0" in str(path):
        raise UnsafePathError("a path may not have a NUL")
    absolute = os.fsencode(path.absolute().resolve(strict=False))
    return "file://" + quote(absolute, safe="/-._~!$&'()*+,;=:@")


def _s3_url(rest: str) -> str:
    _refuse_controls(rest)
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.match(bucket):
        raise InvalidError(
            "not the name of a bucket; write s3://bucket/prefix, and keep credentials in the AWS "
            "environment variables or profile"
        )
    prefix = prefix.strip("/")
    return f"s3://{bucket}/{check_folder(prefix)}".rstrip("/")


def _memory_url(rest: str) -> str:
    _refuse_controls(rest)
    path, _, query = rest.partition("?")
    name, _, prefix = path.strip("/").partition("/")
    if not _NAME.match(name):
        raise InvalidError("not the name of a memory store; write memory://name")
    flags = dict(parse_qsl(query, keep_blank_values=True))
    if not set(flags) <= set(_FLAGS) or not set(flags.values()) <= {"0", "1"}:
        raise InvalidError("a memory store takes fold_case=1 and normalize=1 only")
    chosen = [(flag, "1") for flag in _FLAGS if flags.get(flag) == "1"]
    url = f"memory://{name}/{check_folder(prefix)}".rstrip("/")
    return f"{url}?{urlencode(chosen)}" if chosen else url
