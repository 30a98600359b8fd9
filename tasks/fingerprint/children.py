"""The parsing children as the pipeline sees them: borrowing one, replacing one that died."""

import atexit
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Self

from models.domain.errors import BrokenError
from models.domain.fingerprint import Problem
from models.settings import Settings
from tasks.fingerprint import wire
from tasks.fingerprint.nursery import Child, Limits, Nursery
from tasks.fingerprint.parsing import Facts, Request

_SIGXCPU = int(signal.SIGXCPU)
_MEMORY_STATUS = 3
"""`child.MEMORY_STATUS`, which is not imported: it would load the parsers here."""

Fetch = Callable[[int, int], bytes]
"""Returns `count` bytes at an offset of the file being parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a child said of one file; `facts["problem"]` when it could not, or did not live.

    Attributes:
        signature: None where none was made.
        is_dead: whether the child died of the file.
    """

    facts: Facts
    thumbnail: bytes = b""
    signature: bytes | None = None
    is_dead: bool = False


class _DiedError(Exception):
    """A child ended while it had a file; the text says how."""


class ParserPool:
    """Children to borrow, at most `limits.children` at a time; safe to use from many threads.

    A child that dies takes nothing with it but its file, which is tried once more in a fresh child
    when the dead one had served others before (what those left may have been the cause), and then
    becomes a row with a problem.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deaths = 0
        self._slots = threading.Semaphore(limits.children)
        self._lock = threading.Lock()
        self._idle: dict[bool, list[Child]] = {False: [], True: []}
        self._nursery: Nursery | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all children."""
        with self._lock:
            for children in self._idle.values():
                for child in children:
                    child.channel.close()
                children.clear()
            if self._nursery is not None:
                self._nursery.close()
                self._nursery = None

    def parse(self, request: Request, *, blob: bytes | memoryview, fetch: Fetch) -> Parsed:
        """Return the facts of one file; never raises for what the file does.

        Args:
            request: what to parse.
            blob: its first bytes, or all of them.
            fetch: returns other ranges of it.

        Raises:
            BrokenError: no child can be started at all.
        """
        document = {**request.document(), "blob_at": 0}
        return self._attempt(document, blob, fetch, model=False)

    def label(self, content: bytes) -> str:
        """Return what Magika takes a content for; `unknown` when it cannot say.

        Raises:
            BrokenError: no child can be started at all.
        """
        answer = self._attempt({}, content, _no_fetch, model=True)
        return str(answer.facts.get("label", "unknown"))

    def _attempt(
        self, document: Facts, blob: bytes | memoryview, fetch: Fetch, *, model: bool
    ) -> Parsed:
        with self._slots:
            for is_last in (False, True):
                child = self._borrow(model=model)
                served = child.served
                try:
                    parsed = self._converse(child, document, blob, fetch)
                except _DiedError as death:
                    self.deaths += 1
                    if is_last or not served:
                        return Parsed(facts={"problem": str(death)}, is_dead=True)
                    continue
                self._give_back(child, model=model)
                return parsed
        raise AssertionError("unreachable")

    def _borrow(self, *, model: bool) -> Child:
        with self._lock:
            if self._idle[model]:
                return self._idle[model].pop()
            for is_last in (False, True):
                if self._nursery is None:
                    self._nursery = Nursery()
                try:
                    return self._nursery.fork(self.limits, model=model)
                except (OSError, BrokenError) as error:
                    self._nursery.close()
                    self._nursery = None
                    if is_last:
                        raise BrokenError("no parsing child can be started") from error
        raise AssertionError("unreachable")

    def _give_back(self, child: Child, *, model: bool) -> None:
        child.served += 1
        if child.served < self.limits.files:
            with self._lock:
                self._idle[model].append(child)
            return
        child.channel.close()
        with contextlib.suppress(OSError, BrokenError):
            child.nursery.end(child.pid)

    def _converse(
        self, child: Child, document: Facts, blob: bytes | memoryview, fetch: Fetch
    ) -> Parsed:
        deadline = time.monotonic() + self.limits.wall_s
        try:
            wire.send(child.channel, document, blob)
            for answer, blob_back in self._answers(child, deadline):
                if "read" in answer:
                    offset, count = answer["read"]
                    wire.send(child.channel, {}, _quietly(fetch, int(offset), int(count)))
                    continue
                return _parsed(answer, bytes(blob_back))
        except TimeoutError:
            raise self._death(child, hanging=True) from None
        except (OSError, BrokenError, TypeError, ValueError):
            raise self._death(child, hanging=False) from None
        raise self._death(child, hanging=False)

    @staticmethod
    def _answers(child: Child, deadline: float) -> Iterator[tuple[Facts, bytearray]]:
        """Yield messages until the child ends or its time is over."""
        while time.monotonic() < deadline:
            message = wire.receive(child.channel)
            if message is None:
                return
            yield message
        raise TimeoutError

    def _death(self, child: Child, *, hanging: bool) -> _DiedError:
        """Reap a child that is of no more use, and say how it ended."""
        child.channel.close()
        signal_number, status = 0, 0
        with contextlib.suppress(OSError, BrokenError):
            signal_number, status = child.nursery.end(child.pid)
        if hanging or signal_number == _SIGXCPU:
            reason = f"parsing it takes more than {self.limits.cpu_s} s"
            return _DiedError(Problem.LIMITED.because(reason))
        if status == _MEMORY_STATUS:
            return _DiedError(Problem.LIMITED.because("parsing it takes too much memory"))
        how = f"signal {signal_number}" if signal_number else f"status {status}"
        return _DiedError(Problem.CORRUPT.because(f"its parser died ({how})"))


def _parsed(answer: Facts, blob: bytes) -> Parsed:
    """Return an answer taken apart.

    Raises:
        ValueError, TypeError: it is none; a child that met a hostile file is not trusted.
    """
    end = int(answer.get("thumbnail_bytes", 0))
    return Parsed(
        facts=dict(answer.get("facts", answer)),
        thumbnail=blob[:end],
        signature=blob[end:] if answer.get("signed") else None,
    )


def _quietly(fetch: Fetch, offset: int, count: int) -> bytes:
    """Return a range, or b"" when it cannot be had: the parser sees a file that ends there."""
    try:
        return fetch(offset, count)
    except Exception:  # noqa: BLE001 - whatever storage says is told by the check of the version
        return b""


def _no_fetch(_offset: int, _count: int) -> bytes:
    return b""


def parsing_limits(settings: Settings) -> Limits:
    """Return what a child may use for one file, by the settings."""
    return Limits(
        memory_bytes=settings.parser_memory_bytes,
        cpu_s=settings.parser_cpu_s,
        children=settings.work_threads or os.cpu_count() or 1,
    )


@cache
def shared_pool(limits: Limits) -> ParserPool:
    """Return this process' pool for these limits; it ends with the process.

    Batches run side by side in one process, and the nursery costs a second to start.
    """
    pool = ParserPool(limits)
    atexit.register(pool.close)
    return pool
