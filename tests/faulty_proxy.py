"""An HTTP proxy on loopback that misbehaves: errors, resets, silence, torn and lost replies."""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Iterator

FAULTS = ("error_500", "error_503", "reset", "silence", "torn", "lost")
"""`lost`: the server did what it was asked, and nobody heard. `torn`: half of its reply came."""

_STATUS = {"error_500": b"500 Internal Server Error", "error_503": b"503 Service Unavailable"}
_CODES = {"error_500": b"InternalError", "error_503": b"SlowDown"}


class FaultyProxy:
    """Passes one request a connection on to a server, a share of them badly.

    Args:
        port: of the server behind it, on 127.0.0.1.
        seed: of the choice of faults.
        share: of requests that go wrong.
        silence_s: how long a silent connection lasts; longer than the client's patience.
    """

    def __init__(self, port: int, *, seed: int, share: float, silence_s: float) -> None:
        self._upstream = port
        self._random = random.Random(seed)
        self._share = share
        self._silence_s = silence_s
        self.counts: Counter[str] = Counter()

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Serve on a thread of its own; yield the URL."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, name="faulty proxy")
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(_ended(server), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _fault(self) -> str | None:
        is_faulty = self._random.random() < self._share
        fault = self._random.choice(FAULTS) if is_faulty else None
        self.counts[fault or "passed"] += 1
        return fault

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fault = self._fault()
            if fault == "reset":
                writer.transport.abort()
                return
            body = await _body(head, reader, writer)
            if fault == "silence":
                await asyncio.sleep(self._silence_s)
            elif fault in _STATUS:
                writer.write(_refusal(fault))
            else:
                writer.write(_damaged(await self._asked(head, body), fault))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client lost its patience
        finally:
            writer.close()

    async def _asked(self, head: bytes, body: bytes) -> bytes:
        """Return the server's whole reply."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        lines = [
            line
            for line in head.split(b"\r\n")
            if not line.lower().startswith((b"connection:", b"expect:"))
        ]
        try:
            writer.write(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


async def _ended(server: asyncio.Server) -> None:
    """Stop serving, and let go of the connections that are still silent."""
    server.close()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0.1)  # transports say goodbye in a later turn of the loop


def _damaged(reply: bytes, fault: str | None) -> bytes:
    """Return what arrives of a reply: all of it, half of its body (or head), or nothing."""
    if fault is None:
        return reply
    body = reply.partition(b"\r\n\r\n")[2]
    lost = max(1, len(body) // 2) if fault == "torn" else len(reply)
    return reply[: len(reply) - lost]


async def _body(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    headers = dict(
        line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
    )
    if headers.get(b"expect") == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    return await reader.readexactly(int(headers.get(b"content-length", 0)))


def _refusal(fault: str) -> bytes:
    text = b"<Error><Code>" + _CODES[fault] + b"</Code><Message>later</Message></Error>"
    return (
        b"HTTP/1.1 " + _STATUS[fault] + b"\r\nContent-Type: application/xml\r\n"
        b"Connection: close\r\nContent-Length: " + str(len(text)).encode() + b"\r\n\r\n" + text
    )
