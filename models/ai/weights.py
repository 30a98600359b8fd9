"""Weights at rest: the safetensors format, read without its library.

Layout (huggingface/safetensors, README): eight bytes with the little-endian length of a JSON
header, the header (name -> dtype, shape, data_offsets), then the tensors' bytes.
"""

import hashlib
import json
import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import CorruptError, MissingError

_LENGTH = struct.Struct("<Q")
_MAXIMUM_HEADER = 100_000_000
"""The format's own limit."""
_TYPES = {"F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
_CHUNK_BYTES = 1 << 20


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return each tensor by name, float32 where it is of floating point; others are left out.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is no safetensors file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _tensors(data)
    except FileNotFoundError as error:
        raise MissingError(f"{path.name}: no such weights") from error
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise CorruptError(f"{path.name} is no safetensors file: {error}") from error


def _tensors(data: mmap.mmap) -> dict[str, NDArray[Any]]:
    (length,) = _LENGTH.unpack_from(data)
    if length > min(_MAXIMUM_HEADER, len(data) - _LENGTH.size):
        raise ValueError("its header is longer than the file")
    start = _LENGTH.size + length
    header = json.loads(data[_LENGTH.size : start])
    found: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in _TYPES:
            continue
        first, last = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + last], _TYPES[entry["dtype"]])
        wanted = np.float32 if entry["dtype"].startswith("F") else np.int64
        found[name] = values.reshape(entry["shape"]).astype(wanted)
    return found


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        MissingError: there is no such file.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise MissingError(f"{path.name}: no such file") from error
    return digest.hexdigest()
