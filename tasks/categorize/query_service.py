"""Serves vectors of queries to the API, which loads no models.

`python -m tasks.categorize.query_service` is one small process beside the API. It listens on a Unix
socket that only its owner may open, or on a loopback port. The first query opens the model.
`POST /embed {"text": ...}` answers the vector as pgvector reads it and the name of the table to
compare it with; 503 says in words why there is none.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.domain.embeddings import Tower, vector_table
from models.domain.errors import EXIT_CODES, FileOrganizerError, InvalidError
from models.settings import Settings
from tasks.categorize.embedders import text_embedder

UNIX = "unix:"
QUERY_BYTES = 20_000
"""A query is 500 characters; whatever is longer than this is none."""
BACKLOG = 64

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class QueryService:
    """The ASGI app.

    Args:
        settings: name the model.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
            return
        if scope["path"] != "/embed" or scope["method"] != "POST":
            await _answer(send, 404, {"detail": "there is nothing here"})
            return
        text = await _text_of(receive)
        if text is None:
            await _answer(send, 422, {"detail": "a JSON object with `text` is wanted"})
            return
        try:
            # One query at a time: the model uses all cores it may.
            async with self._one_at_a_time:
                found = await asyncio.to_thread(self._embedded, text)
        except FileOrganizerError as error:
            await _answer(send, 503, {"detail": str(error)})
            return
        await _answer(send, 200, found)

    def _embedded(self, text: str) -> dict[str, Any]:
        import numpy as np

        embedder = text_embedder(self._settings)
        (vector,) = embedder.embed_texts([text])
        numbers = np.frombuffer(vector, "<f4").tolist()
        return {
            "model_id": embedder.model_id,
            "table": vector_table(embedder.model_id, Tower.TEXT.value),
            "vector": "[" + ",".join(f"{value:.8g}" for value in numbers) + "]",
        }


async def _text_of(receive: Receive) -> str | None:
    body = b""
    while len(body) <= QUERY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    with suppress(ValueError, TypeError, KeyError):
        text = json.loads(body)["text"]
        return text if isinstance(text, str) and len(body) <= QUERY_BYTES else None
    return None


async def _answer(send: Send, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listening(address: str) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        InvalidError: it is neither `unix:/path` nor `http://host:port`.
    """
    if address.startswith(UNIX):
        path = Path(address.removeprefix(UNIX))
        path.unlink(missing_ok=True)
        found = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            found.bind(str(path))
        except OSError as error:
            raise InvalidError(f"queries cannot be waited for at {address}: {error}") from error
        finally:
            os.umask(before)
    else:
        parts = urlsplit(address)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise InvalidError(f"`embedder_url` is unix:/path or http://host:port, not {address}")
        found = socket.create_server((parts.hostname, parts.port))
    found.listen(BACKLOG)
    return found


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit status is that of STYLE's table of errors."""
    import uvicorn

    settings = Settings()
    try:
        waiting = listening(settings.embedder_address)
    except FileOrganizerError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES[error.kind]
    config = uvicorn.Config(
        QueryService(settings), log_config=None, access_log=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[waiting])
    return 0


if __name__ == "__main__":
    sys.exit(main())
