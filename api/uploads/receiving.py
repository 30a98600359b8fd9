"""Files on their way from a request into the storage: promised, written, published, kept."""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
from sqlalchemy.ext.asyncio import AsyncEngine

from api.shell.database import account_transaction
from api.shell.principal import Principal
from api.shell.problems import ProblemError, limit_reached
from api.shell.storage import account_root_url, tenant_folder
from api.shell.tag_rows import TagLimitError
from api.uploads.form import Begun, Data, Event
from api.uploads.repository import (
    Arrived,
    DayLimitError,
    FileLimitError,
    Promise,
    QuotaExceededError,
    Wishes,
    give_back,
    keep,
    promise,
    renew,
)
from models.domain.errors import FileOrganizerError
from models.domain.files import StoredFile
from models.settings import Settings
from storage.intake import Intake, TakenIn
from storage.store import Store

LIFE = timedelta(minutes=15)
"""How long a promise holds when nobody renews it: a killed server's are given back after that."""
RENEW_S = 120.0

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Return what blocking work returns; it runs beside the event loop, and is never cut off."""
    return await anyio.to_thread.run_sync(work, *arguments)


def refused(error: FileOrganizerError, principal: Principal) -> ProblemError:
    """Return the problem of something that does not fit into the plan."""
    limits = principal.limits
    if isinstance(error, QuotaExceededError):
        return ProblemError(
            402,
            "the storage of this account is full; delete files for good, or choose another plan",
            name="quota-exceeded",
            extra={"limit": "storage_bytes", "allowed": limits["storage_bytes"]},
        )
    if isinstance(error, DayLimitError):
        now = time.time()
        return ProblemError(
            429,
            f"the {principal.plan} plan allows {limits['uploads_per_day']} uploads a day (UTC)",
            name="plan-limit",
            headers={"Retry-After": str(int(86_400 - now % 86_400) + 1)},
            extra={"limit": "uploads_per_day", "allowed": limits["uploads_per_day"]},
        )
    name = "tags" if isinstance(error, TagLimitError) else "files_total"
    return limit_reached(name, limits[name] or 0, plan=principal.plan)


LIMITS = (QuotaExceededError, DayLimitError, FileLimitError, TagLimitError)


@dataclass(slots=True)
class _Incoming:
    """One file that is being written."""

    id: str
    sent_name: str
    intake: Intake | None = None
    size_bytes: int = 0
    taken: TakenIn | None = None


@dataclass(slots=True)
class _Batch:
    """What one block of the request adds."""

    size_bytes: int = 0
    begun: list[_Incoming] = field(default_factory=list[_Incoming])
    writes: list[tuple[_Incoming, bytes]] = field(default_factory=list[tuple[_Incoming, bytes]])


class Receiving:
    """All files of one request; leaving it before they are kept gives everything back.

    Args:
        engine: for short transactions of its own: none is held while bytes travel.
        settings: where managed storage is.
        principal: who uploads.
        store: managed storage.
        expected_bytes: size of the whole request, where it is known.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        settings: Settings,
        principal: Principal,
        store: Store,
        *,
        expected_bytes: int | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._principal = principal
        self._store = store
        self._expected_bytes = expected_bytes
        self._id = str(uuid.uuid4())
        self._files: list[_Incoming] = []
        self._promised_bytes = 0
        self._written_bytes = 0
        self._renewed_at = time.monotonic()
        self._is_promised = False
        self._is_kept = False

    @property
    def files(self) -> int:
        """Files that began so far."""
        return len(self._files)

    async def take(self, events: Sequence[Event]) -> None:
        """Write what a part of the form tells; what does not fit is refused before it is written.

        Raises:
            ProblemError: 402, 413 or 429.
        """
        batch = self._batch(events)
        await self._promise(batch)
        await in_thread(self._write, batch)
        self._written_bytes += batch.size_bytes

    def _batch(self, events: Sequence[Event]) -> _Batch:
        batch = _Batch()
        most = self._principal.limits["max_file_bytes"]
        for event in events:
            if isinstance(event, Begun):
                incoming = _Incoming(str(uuid.uuid4()), event.name)
                self._files.append(incoming)
                batch.begun.append(incoming)
            elif isinstance(event, Data):
                incoming = self._files[-1]
                incoming.size_bytes += len(event.block)
                batch.size_bytes += len(event.block)
                batch.writes.append((incoming, event.block))
                if most is not None and incoming.size_bytes > most:
                    raise too_large(self._principal)
        return batch

    async def _promise(self, batch: _Batch) -> None:
        needed = self._written_bytes + batch.size_bytes - self._promised_bytes
        if needed > 0 or batch.begun:
            wanted = max(needed, self._ahead() if needed > 0 else 0, 0)
            try:
                await self._ask(batch, wanted)
            except QuotaExceededError as error:
                if wanted == max(needed, 0):
                    raise refused(error, self._principal) from error
                await self._ask(batch, max(needed, 0))
        elif time.monotonic() - self._renewed_at > RENEW_S:
            async with account_transaction(self._engine, self._principal.account_id) as connection:
                await renew(connection, self._principal.account_id, self._id, LIFE)
            self._renewed_at = time.monotonic()

    def _ahead(self) -> int:
        """As much again as came so far, so that a long upload asks seldom; never past its end."""
        if self._expected_bytes is None:
            return self._written_bytes
        return min(self._written_bytes, self._expected_bytes - self._promised_bytes)

    async def _ask(self, batch: _Batch, size_bytes: int) -> None:
        asked = Promise(
            id=self._id,
            account_id=self._principal.account_id,
            size_bytes=size_bytes,
            uploads=len(batch.begun),
            keys=tuple(self._key(each) for each in batch.begun),
            life=LIFE,
        )
        try:
            async with account_transaction(self._engine, asked.account_id) as connection:
                await promise(connection, asked, self._principal.limits)
        except QuotaExceededError:
            raise
        except LIMITS as error:
            raise refused(error, self._principal) from error
        self._is_promised = True
        self._promised_bytes += size_bytes
        self._renewed_at = time.monotonic()

    def _key(self, incoming: _Incoming) -> str:
        return f"{tenant_folder(self._principal.account_id)}/{incoming.id}"

    def _write(self, batch: _Batch) -> None:
        for each in batch.begun:
            each.intake = self._store.take_in(self._key(each), mark=each.id)
        for each, block in batch.writes:
            assert each.intake is not None  # noqa: S101 - begun in this batch or before
            each.intake.write(block)

    async def keep(self, wishes: Wishes) -> list[StoredFile]:
        """Publish all files and keep them; return them in the order they came.

        Raises:
            ProblemError: 402, too many tags.
            ConflictError: it took too long.
        """
        await in_thread(self._publish)
        arrived = [
            Arrived(id=each.id, sent_name=each.sent_name, taken=each.taken)
            for each in self._files
            if each.taken is not None
        ]
        account_id = self._principal.account_id
        try:
            async with account_transaction(self._engine, account_id) as connection:
                found = await keep(
                    connection,
                    account_id=account_id,
                    reservation_id=self._id,
                    root_url=account_root_url(self._settings, account_id),
                    arrived=arrived,
                    wishes=wishes,
                    tag_limit=self._principal.limits["tags"],
                    snapshot=self._principal.snapshot(),
                )
        except TagLimitError as error:
            raise refused(error, self._principal) from error
        self._is_kept = True
        return found

    def _publish(self) -> None:
        for each in self._files:
            if each.intake is not None:
                each.taken = each.intake.publish()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_kept:
            return
        with anyio.CancelScope(shield=True):
            await in_thread(self._remove)
            if self._is_promised:
                # What cannot be given back now expires by itself.
                with suppress(FileOrganizerError):
                    account_id = self._principal.account_id
                    async with account_transaction(self._engine, account_id) as connection:
                        await give_back(connection, account_id, self._id)

    def _remove(self) -> None:
        for each in self._files:
            with suppress(FileOrganizerError):
                if each.taken is not None:
                    self._store.delete(self._key(each), version=each.taken.version)
                elif each.intake is not None:
                    each.intake.discard()


def too_large(principal: Principal) -> ProblemError:
    """Return the problem of a file that is larger than the plan allows."""
    most = principal.limits["max_file_bytes"] or 0
    return ProblemError(
        413,
        f"the {principal.plan} plan allows files of {most:,} bytes",
        name="file-too-large",
        extra={"limit": "max_file_bytes", "allowed": most},
    )
