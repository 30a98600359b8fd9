"""The parsing children: `python -m tasks.fingerprint.child FD` is their nursery.

The nursery is a single-threaded process that loads the parsers once and forks a child for each
socket it is handed; forking the pipeline itself, with its threads and secrets, would be neither
safe nor cheap. A child confines itself, parses a number of files and ends; its parent in the
pipeline sees a closed socket when it died and asks the nursery how.

Nursery's messages: `{"do": "fork", "model": bool, ...}` with a descriptor answers `{"pid": int}`;
`{"do": "end", "pid": int}` kills and answers `{"signal": int, "status": int}`.
"""

import contextlib
import importlib
import os
import signal
import socket
import sys
from typing import Any

from tasks.fingerprint import confinement, wire
from tasks.fingerprint.parsing import Request, parse, preload
from tasks.fingerprint.sources import FetchedFile

_MESSAGE_BYTES = 4096


def _serve(channel: socket.socket, options: dict[str, Any], model: Any) -> None:
    """Answer files until the parent closes the channel or the share is used up."""
    confinement.confine(int(options["memory_bytes"]))
    for _ in range(int(options["files"])):
        message = wire.receive(channel)
        if message is None:
            return
        document, blob = message
        confinement.allow_cpu(int(options["cpu_s"]))
        if model is not None:
            wire.send(channel, {"label": model.label(bytes(blob))})
            continue
        request = Request.from_document(document)
        file = FetchedFile(channel, request.size_bytes, blob, int(document["blob_at"]))
        answer = parse(request, file)
        made = {"facts": answer.facts, "signed": answer.signature is not None}
        blob = answer.thumbnail + (answer.signature or b"")
        wire.send(channel, {**made, "thumbnail_bytes": len(answer.thumbnail)}, blob)


def _child(channel: socket.socket, options: dict[str, Any], model: Any) -> None:
    """Never return: a forked child must not run the nursery's code."""
    status = 1
    try:
        _serve(channel, options, model)
        status = 0
    except MemoryError:
        status = MEMORY_STATUS
    except OSError:
        status = 0  # the parent closed the channel
    finally:
        os._exit(status)


MEMORY_STATUS = 3
"""Exit status of a child that met its memory limit where nothing could be told any more."""


class Nursery:
    """Forks children on request."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.model: Any = None

    def run(self) -> None:
        """Serve until the pipeline closes the control socket."""
        preload()
        self.control.send(b'{"ready": true}')
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.control, _MESSAGE_BYTES, 1)
            if not data:
                return
            answer = self._answer(wire.parse_document(data), descriptors)
            self.control.send(wire.encode_document(answer))

    def _answer(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        if message["do"] == "end":
            return self._end(int(message["pid"]))
        return {"pid": self._fork(message, descriptors[0])}

    def _fork(self, options: dict[str, Any], descriptor: int) -> int:
        if options["model"] and self.model is None:
            from tasks.fingerprint.model import TypeModel

            self.model = TypeModel()
        if options["prepares"] and not options["model"]:
            importlib.import_module(str(options["prepares"])).open_engine()
        pid = os.fork()
        if pid:
            os.close(descriptor)
            return pid
        self.control.close()
        with socket.socket(fileno=descriptor) as channel:
            _child(channel, options, self.model if options["model"] else None)
        return 0

    @staticmethod
    def _end(pid: int) -> dict[str, Any]:
        """Reap a child; a zombie keeps its number, so nobody else can be hit."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            return {"signal": 0, "status": 0}
        code = os.waitstatus_to_exitcode(status)
        return {"signal": max(-code, 0), "status": max(code, 0)}


def main() -> None:
    """Run the nursery on the control socket whose descriptor is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        Nursery(control).run()


if __name__ == "__main__":
    main()
