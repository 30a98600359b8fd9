"""Bytes by name, on disk or on S3: what a lake is made of."""

import os
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from models.domain.errors import (
    BrokenError,
    BusyError,
    ForbiddenError,
    InvalidError,
    MissingError,
)

TEMPORARY_FOLDER = ".temporary"
"""Below a lake on disk: files being written. Never read, removed when the write ends."""

Value = TypeVar("Value")


class Shelf(Protocol):
    """Bytes by name, whole or not at all."""

    def path(self, uri: str) -> str:
        """Return where a name lies: a path or an S3 URL."""
        ...

    def put(self, uri: str, data: bytes | memoryview) -> None:
        """Write bytes, durably."""
        ...

    def get(self, uri: str) -> bytes:
        """Return the bytes of a name."""
        ...

    def names(self, uri: str) -> list[str]:
        """Return what lies directly below a name."""
        ...


@contextmanager
def _translated(what: str) -> Generator[None]:
    """Give foreign errors their kind where they enter."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(f"{what}: not in the lake") from error
    except PermissionError as error:
        raise ForbiddenError(f"{what}: the lake does not let us in: {error}") from error
    except (TimeoutError, ConnectionError) as error:
        raise BusyError(f"{what}: the lake does not answer: {error}") from error
    except OSError as error:
        raise BrokenError(f"{what}: {error}") from error


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(folder: Path) -> None:
    """Create a folder and its parents, each on disk before what is below it."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync_folder(folder.parent)


class LocalShelf:
    """A folder: temporary file, fsync, rename, fsync of the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, uri: str) -> str:
        """Return where a name lies."""
        return str(self.root / uri)

    def put(self, uri: str, data: bytes | memoryview) -> None:
        """Write bytes, durably."""
        target = self.root / uri
        temporary = self.root / TEMPORARY_FOLDER / uuid.uuid4().hex
        with _translated(uri):
            _make_folders(target.parent)
            _make_folders(temporary.parent)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _fsync_folder(target.parent)

    def get(self, uri: str) -> bytes:
        """Return the bytes of a name."""
        with _translated(uri):
            return (self.root / uri).read_bytes()

    def names(self, uri: str) -> list[str]:
        """Return what lies directly below a name."""
        with _translated(uri):
            return [path.name for path in (self.root / uri).iterdir()]


class S3Shelf:
    """A bucket's prefix: one PUT is atomic, and equal names carry equal bytes."""

    def __init__(self, url: str, endpoint_url: str | None) -> None:
        import s3fs

        self.url = url
        self.files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint_url, use_listings_cache=False, skip_instance_cache=True
        )

    def path(self, uri: str) -> str:
        """Return where a name lies."""
        return f"{self.url}/{uri}"

    def put(self, uri: str, data: bytes | memoryview) -> None:
        """Write bytes, durably."""
        self._call(uri, partial(self.files.pipe_file, self.path(uri), bytes(data)))

    def get(self, uri: str) -> bytes:
        """Return the bytes of a name."""
        return self._call(uri, partial(self.files.cat_file, self.path(uri)))

    def names(self, uri: str) -> list[str]:
        """Return what lies directly below a name."""
        paths = self._call(uri, partial(self.files.ls, self.path(uri), detail=False))
        return [PurePosixPath(path).name for path in paths]

    def _call(self, uri: str, call: Callable[[], Value]) -> Value:
        from botocore.exceptions import BotoCoreError

        with _translated(uri):
            try:
                return call()
            except BotoCoreError as error:
                raise BusyError(f"{uri}: the lake does not answer: {error}") from error


def checked_uri(uri: str) -> str:
    """Return the uri, if it names something below the lake.

    Raises:
        InvalidError: it is empty, absolute or climbs.
    """
    parts = PurePosixPath(uri).parts
    if not parts or uri.startswith("/") or ".." in parts or parts[0] == TEMPORARY_FOLDER:
        raise InvalidError(f"{uri!r} is no path below the lake")
    return str(PurePosixPath(uri))
