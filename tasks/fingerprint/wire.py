"""Messages between the pipeline and its parsing children: a JSON document and a blob, framed."""

import json
import socket
import struct
from typing import Any

from models.domain.errors import BrokenError

_HEADER = struct.Struct("!II")
MAXIMUM_DOCUMENT_BYTES = 1_000_000
"""A child that sends more has lost its way: facts are a few hundred bytes."""
MAXIMUM_BLOB_BYTES = 1 << 30
"""No file larger than `reading.WHOLE_BYTES` is ever sent whole."""


def send(channel: socket.socket, document: dict[str, Any], blob: bytes | memoryview = b"") -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    text = encode_document(document)
    channel.sendall(_HEADER.pack(len(text), len(blob)) + text)
    if blob:
        channel.sendall(blob)


def receive(channel: socket.socket) -> tuple[dict[str, Any], bytearray] | None:
    """Return the next message, or None when the other side ended.

    Raises:
        TimeoutError: the channel's timeout passed.
        BrokenError: what came is no message.
        OSError: the other side is gone.
    """
    header = _exactly(channel, _HEADER.size)
    if header is None:
        return None
    document_bytes, blob_bytes = _HEADER.unpack(header)
    if document_bytes > MAXIMUM_DOCUMENT_BYTES or blob_bytes > MAXIMUM_BLOB_BYTES:
        raise BrokenError("a parsing child sent what is no message")
    text = _exactly(channel, document_bytes)
    blob = _exactly(channel, blob_bytes)
    if text is None or blob is None:
        return None
    return parse_document(bytes(text)), blob


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document."""
    return json.dumps(document).encode()


def parse_document(text: bytes) -> dict[str, Any]:
    """Return the document of some bytes.

    Raises:
        BrokenError: they are none.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BrokenError("a parsing child sent what is no message") from error
    if not isinstance(document, dict):
        raise BrokenError("a parsing child sent what is no message")
    return document


def _exactly(channel: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = channel.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return data
