"""The files DuckDB may read, given to it by number: nothing else can be named, nothing written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

SCHEME = "lake"
"""Addresses are `lake://<number>`: without the ending of a file name, by which DuckDB would let a
query select from it, and without a name of the lake's."""

_NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)
"""Files of a Delta table are never written again, so what DuckDB remembers of one stays true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeFile:
    """One file: where in the lake, its size in bytes."""

    files: Any
    path: str
    size_bytes: int


class LakeFiles(AbstractFileSystem):
    """Some files of the lake, read-only, as a file system for DuckDB.

    DuckDB's own access to files stays shut, because whatever folder it may read it may also write
    (`COPY TO`, `ATTACH` and `EXPORT` into an allowed folder were seen to succeed). Here, only what
    was listed exists, and nothing opens for writing. Bytes come by Arrow's readers, which hold no
    lock of the interpreter meanwhile: a count over ten million rows costs a tenth more than by
    DuckDB's own.

    Args:
        files: by address.
    """

    protocol = SCHEME
    cachable = False

    def __init__(self, files: Mapping[str, LakeFile]) -> None:
        super().__init__()
        self._listed = {self._strip_protocol(address): file for address, file in files.items()}

    def open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """Return an open file, an Arrow `NativeFile`.

        Raises:
            PermissionError: it is to be written.
            FileNotFoundError: it is not one of those listed.
        """
        if mode != "rb":
            raise PermissionError("the warehouse is read-only")
        file = self._found(path)
        return file.files.open_input_file(file.path)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size in bytes and kind of a file."""
        return {"name": path, "size": self._found(path).size_bytes, "type": "file"}

    def modified(self, path: str) -> datetime:
        """Return one moment for all files."""
        self._found(path)
        return _NEVER_CHANGED

    def glob(self, path: str, maxdepth: int | None = None, **_: Any) -> list[str]:  # noqa: ARG002
        """Return the file itself; there are no folders and no patterns."""
        self._found(path)
        return [path]

    def _found(self, path: str) -> LakeFile:
        try:
            return self._listed[self._strip_protocol(path)]
        except KeyError:
            raise FileNotFoundError(path) from None
