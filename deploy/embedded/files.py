"""Small files of the stack, written so that a reader sees all of one or none."""

import os
from pathlib import Path


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path` through a synced temporary file and a rename.

    Args:
        path: Where the file appears, replacing an older one.
        text: The contents, UTF-8.
        mode: Permissions, set before the first byte is written.
    """
    making = path.with_name(f".{path.name}.{os.getpid()}")
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    making.replace(path)
