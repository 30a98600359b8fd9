"""A listing in one word, to tell whether a source is still what a plan was made from."""

import hashlib
from collections.abc import Iterable

COMPARED_FILES = 20_000
"""Sources of more files are not listed again when a preview is confirmed: a person waits for the
answer, and every operation checks its own file anyway."""


def listing_digest(files: Iterable[tuple[str, int, int, str]]) -> str:
    """Return what a listing says, whatever its order.

    Args:
        files: key, size in bytes, modification time in nanoseconds and version of each.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update("\x1f".join(map(str, file)).encode("utf-8", "surrogatepass"))
        digest.update(b"\x1e")
    return digest.hexdigest()
