"""What fingerprinting needs of the houses below."""

from typing import BinaryIO, Protocol

from models.domain.manifest import ManifestRow
from models.domain.near import Signature
from tasks.fingerprint.children import Fetch, Parsed
from tasks.fingerprint.parsing import Request


class ByteSource(Protocol):
    """Customers' bytes, as `storage` opens them."""

    def stat(self, key: str) -> ManifestRow:
        """Return the file as it is now. Raises MissingError."""
        ...

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        """Return a reader at an offset. Raises MissingError, ForbiddenError."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return a range of bytes."""
        ...


class Parser(Protocol):
    """Parsing of untrusted bytes."""

    def parse(self, request: Request, *, blob: bytes | memoryview, fetch: Fetch) -> Parsed:
        """Return the facts of one file."""
        ...

    def label(self, content: bytes) -> str:
        """Return what a model takes a content for; `unknown` when it cannot say."""
        ...


class Thumbnails(Protocol):
    """Pictures at rest, by the content they show."""

    def has(self, sha256: str) -> bool:
        """Return whether there is one."""
        ...

    def put(self, sha256: str, picture: bytes) -> None:
        """Keep one. Repeating it changes nothing."""
        ...


class Signatures(Protocol):
    """Signatures at rest, by content."""

    def has(self, sha256: str) -> bool:
        """Return whether a content was signed, or cannot be."""
        ...

    def put(self, signature: Signature) -> None:
        """Keep one. Repeating it changes nothing; safe to call from many threads."""
        ...
