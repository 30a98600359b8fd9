"""Columns of Arrow rows as plain Python and NumPy values; none of ours is ever null."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Rows = pa.RecordBatch | pa.Table


def texts(rows: Rows, name: str) -> list[str]:
    """Return a column of text."""
    return cast("list[str]", rows.column(name).to_pylist())


def blobs(rows: Rows, name: str) -> list[bytes]:
    """Return a column of bytes."""
    return cast("list[bytes]", rows.column(name).to_pylist())


def numbers(rows: Rows, name: str) -> NDArray[np.int64]:
    """Return a column of whole numbers."""
    return np.asarray(rows.column(name)).astype(np.int64)


def as_words(hashes: Sequence[bytes], words: int) -> NDArray[np.uint64]:
    """Return (n, words) hashes of bytes, the first byte the most significant of the first word."""
    flat: Any = np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)
    return flat.reshape(-1, words)
