"""Resumable uploads: tus 1.0 with creation, checksum, expiration and termination.

What comes is published in segments of at most 16 MiB, each counted in the database once it is
safe: a client, a server or a whole machine may vanish at any moment, and at most the segment under
way is sent again. The last byte puts the segments together, hashing them on the way.
"""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import ClientDisconnect

from api.shell.categories import require_category
from api.shell.database import account_transaction
from api.shell.principal import Principal
from api.shell.problems import ProblemError
from api.shell.storage import account_root_url, tenant_folder
from api.uploads import sessions
from api.uploads.receiving import LIMITS, in_thread, refused, too_large
from api.uploads.repository import Arrived, Promise, Wishes, give_back, keep, promise
from models.domain.errors import ConflictError, ExistsError, FileOrganizerError, MissingError
from models.domain.price_list import Action
from models.domain.upload_sessions import UploadSession, upload_checksum, upload_metadata
from models.domain.uploads import clean_text, tags_from_fields
from models.settings import Settings
from storage.intake import Intake, TakenIn
from storage.store import Store

LIFE = timedelta(hours=24)
"""How long an upload waits for its next bytes."""
HOLD = timedelta(seconds=15)
HOLD_AGAIN_S = 5.0
"""A request that writes holds the upload; a killed server's hold ends after 15 seconds."""
SEGMENT_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20
ALGORITHM = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tus:
    """Resumable uploads of one account."""

    engine: AsyncEngine
    settings: Settings
    principal: Principal
    store: Store

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        async with account_transaction(self.engine, self.principal.account_id) as connection:
            yield connection

    async def begin(self, size_bytes: int, metadata: str) -> UploadSession:
        """Promise storage for an upload and return it.

        Raises:
            ProblemError: 402, 413 or 429.
            InvalidError: malformed metadata, or an unknown category.
        """
        self.principal.require(Action.UPLOAD)
        most = self.principal.limits["max_file_bytes"]
        if most is not None and size_bytes > most:
            raise too_large(self.principal)
        pairs = upload_metadata(metadata)
        category = pairs.get("category", "").strip()
        if category:
            require_category(self.settings, category)
        session_id, reservation_id = str(uuid.uuid4()), str(uuid.uuid4())
        asked = Promise(
            id=reservation_id,
            account_id=self.principal.account_id,
            size_bytes=size_bytes,
            uploads=1,
            keys=(self._key(session_id),),
            life=LIFE,
        )
        values = {
            "id": session_id,
            "user_id": self.principal.account_id,
            "reservation_id": reservation_id,
            "filename": clean_text(pairs.get("filename", "")),
            "category": category or None,
            "tags": list(tags_from_fields([pairs["tags"]] if pairs.get("tags") else [])),
            "size_bytes": size_bytes,
            "upload_metadata": metadata,
            "expires_at": datetime.now(UTC) + LIFE,
        }
        try:
            async with self._transaction() as connection:
                await promise(connection, asked, self.principal.limits)
                await sessions.begin_session(connection, values)
        except LIMITS as error:
            raise refused(error, self.principal) from error
        found = await self.look(session_id)
        return found if size_bytes else await self.finish(found)

    async def look(self, session_id: str) -> UploadSession:
        """Return an upload.

        Raises:
            MissingError: there is none, or it is somebody else's.
            ProblemError: 410, it was given up.
        """
        async with self._transaction() as connection:
            found = await sessions.session_of(connection, self.principal.account_id, session_id)
        if found.is_expired and found.file_id is None:
            raise ProblemError(410, "this upload waited too long and is gone; begin again")
        return found

    @asynccontextmanager
    async def _held(self, session_id: str) -> AsyncGenerator[str]:
        """Hold an upload while its bytes come; yields who holds it.

        Raises:
            ProblemError: 423, another request is writing.
        """
        by = str(uuid.uuid4())
        await self._hold(session_id, by)
        renewing = asyncio.create_task(self._hold_on(session_id, by))
        try:
            yield by
        finally:
            renewing.cancel()
            with anyio.CancelScope(shield=True), suppress(FileOrganizerError):
                async with self._transaction() as connection:
                    await sessions.let_go(connection, self.principal.account_id, session_id, by)

    async def _hold(self, session_id: str, by: str) -> None:
        try:
            async with self._transaction() as connection:
                await sessions.hold(connection, self.principal.account_id, session_id, by, HOLD)
        except sessions.HeldError as error:
            retry = {"Retry-After": str(int(HOLD.total_seconds()))}
            raise ProblemError(423, str(error), headers=retry) from error

    async def _hold_on(self, session_id: str, by: str) -> None:
        while True:
            await asyncio.sleep(HOLD_AGAIN_S)
            with suppress(FileOrganizerError, ProblemError):
                await self._hold(session_id, by)

    async def append(
        self, session_id: str, offset: int, stream: AsyncIterator[bytes], *, checksum: str | None
    ) -> UploadSession:
        """Add bytes to an upload and return it; the last ones make it a file.

        Raises:
            ProblemError: 400, 409, 410, 413, 423 or 460.
            MissingError: there is no such upload.
        """
        self.principal.require(Action.UPLOAD)
        digest = _expected(checksum)
        async with self._held(session_id) as by:
            session = await self.look(session_id)
            if offset != session.received_bytes:
                raise ProblemError(
                    409,
                    f"the next byte is {session.received_bytes}, not {offset}",
                    headers={"Upload-Offset": str(session.received_bytes)},
                )
            writer = _Segments(self, session, by, is_checked=digest is not None)
            await writer.write_all(stream)
            await writer.end(digest)
            session = await self.look(session_id)
            if session.is_whole and session.file_id is None:
                session = await self._finish(session)
        return session

    async def finish(self, session: UploadSession) -> UploadSession:
        """Make a whole upload a file; nothing happens when it is one, or is not whole."""
        if session.file_id is not None or not session.is_whole:
            return session
        async with self._held(session.id):
            session = await self.look(session.id)
            return session if session.file_id is not None else await self._finish(session)

    async def _finish(self, session: UploadSession) -> UploadSession:
        """Put the segments together; only while the upload is held."""
        taken = await in_thread(self._put_together, session)
        wanted = upload_metadata(session.metadata).get("sha256", "").strip().lower()
        if wanted and wanted != taken.sha256:
            await in_thread(self._remove_key, self._key(session.id))
            await self._forget(session)
            raise ProblemError(
                460, "the bytes are not those that were announced by sha256", name="checksum"
            )
        try:
            async with self._transaction() as connection:
                await keep(
                    connection,
                    account_id=session.account_id,
                    reservation_id=str(session.reservation_id),
                    root_url=account_root_url(self.settings, session.account_id),
                    arrived=[Arrived(id=session.id, sent_name=session.filename, taken=taken)],
                    wishes=Wishes(category=session.category, tags=session.tags),
                    tag_limit=self.principal.limits["tags"],
                    snapshot=self.principal.snapshot(),
                )
                await sessions.finish_session(connection, session)
        except LIMITS as error:
            raise refused(error, self.principal) from error
        await in_thread(self._remove, session.segments)
        return await self.look(session.id)

    def _put_together(self, session: UploadSession) -> TakenIn:
        """Publish the whole file; what a killed server left half done goes first."""
        self.store.abandon(session.id)
        key = self._key(session.id)
        self._remove_key(key)
        with self.store.take_in(key, mark=session.id) as intake:
            for segment in session.segments:
                with self.store.open(segment) as stream:
                    while block := stream.read(BLOCK_BYTES):
                        intake.write(block)
            if intake.size_bytes != session.size_bytes:
                raise ConflictError("a part of this upload is gone; begin again")
            return intake.publish()

    async def end(self, session_id: str) -> None:
        """Give an upload up, or forget one that is finished; its file stays.

        Raises:
            MissingError: there is no such upload.
            ProblemError: 410 or 423.
        """
        async with self._held(session_id):
            session = await self.look(session_id)
            await self._forget(session)

    async def _forget(self, session: UploadSession) -> None:
        async with self._transaction() as connection:
            if session.reservation_id is not None:
                await give_back(connection, session.account_id, session.reservation_id)
            await sessions.drop_session(connection, session.account_id, session.id)
        await in_thread(self._remove, session.segments)

    async def count(
        self, session: UploadSession, by: str, added: Sequence[tuple[str, int]]
    ) -> None:
        """Count segments that are safe."""
        async with self._transaction() as connection:
            await sessions.add_segments(connection, session, by, added, LIFE)

    def _key(self, session_id: str) -> str:
        return f"{tenant_folder(self.principal.account_id)}/{session_id}"

    def segment_key(self, session: UploadSession, offset: int) -> str:
        """Return a new key for the bytes from an offset on; nobody else's, whatever crashes."""
        folder = f"uploads/{session.account_id}/{session.id}"
        return f"{folder}/{offset:020d}-{uuid.uuid4()}"

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._remove_key(key)
        if keys:
            with suppress(FileOrganizerError):
                self.store.prune_folder(keys[0].rpartition("/")[0])

    def _remove_key(self, key: str) -> None:
        with suppress(MissingError):
            self.store.delete(key, version=self.store.stat(key).version)


def _expected(checksum: str | None) -> bytes | None:
    """Return the digest that the bytes of a request must have.

    Raises:
        ProblemError: 400, another algorithm.
        InvalidError: a malformed header.
    """
    if checksum is None:
        return None
    algorithm, digest = upload_checksum(checksum)
    if algorithm != ALGORITHM:
        raise ProblemError(400, "checksums are of sha256", name="checksum-algorithm")
    return digest


class _Segments:
    """The bytes of one request, segment by segment.

    With a checksum nothing counts before it was compared; without, each segment counts at once.
    """

    def __init__(self, tus: Tus, session: UploadSession, by: str, *, is_checked: bool) -> None:
        self._tus = tus
        self._session = session
        self._by = by
        self._is_checked = is_checked
        self._offset = session.received_bytes
        self._digest = hashlib.sha256()
        self._intake: Intake | None = None
        self._key = ""
        self._waiting: list[tuple[str, int]] = []
        self._is_cut = False

    async def write_all(self, stream: AsyncIterator[bytes]) -> None:
        """Write what comes; a client that vanishes in the middle loses nothing that came.

        Raises:
            ProblemError: 413, more than was announced.
        """
        block = bytearray()
        try:
            async for chunk in stream:
                block += chunk
                if len(block) >= BLOCK_BYTES:
                    await self._write(bytes(block))
                    block.clear()
        except ClientDisconnect:
            self._is_cut = True
        except BaseException:
            await self._discard()
            raise
        if block:
            await self._write(bytes(block))

    async def _write(self, block: bytes) -> None:
        if self._offset + len(block) > self._session.size_bytes:
            await self._discard()
            raise ProblemError(413, "more bytes came than Upload-Length announced")
        try:
            await in_thread(self._put, block)
        except BaseException:
            await self._discard()
            raise
        self._offset += len(block)
        if self._intake is not None and self._intake.size_bytes >= SEGMENT_BYTES:
            await self._publish()

    def _put(self, block: bytes) -> None:
        if self._intake is None:
            self._key = self._tus.segment_key(self._session, self._offset)
            mark = self._key.rpartition("/")[2]
            self._intake = self._tus.store.take_in(self._key, mark=mark)
        self._digest.update(block)
        self._intake.write(block)

    async def _publish(self) -> None:
        intake, self._intake = self._intake, None
        if intake is None:
            return
        with suppress(ExistsError):
            await in_thread(intake.publish)
        self._waiting.append((self._key, intake.size_bytes))
        if not self._is_checked:
            await self._count()

    async def _count(self) -> None:
        if self._waiting:
            await self._tus.count(self._session, self._by, self._waiting)
            self._waiting = []

    async def end(self, digest: bytes | None) -> None:
        """Let everything count.

        Raises:
            ProblemError: 460, the checksum differs; nothing of the request counts.
        """
        await self._publish()
        if digest is not None:
            if self._is_cut or not hmac.compare_digest(self._digest.digest(), digest):
                await self._discard()
                raise ProblemError(460, "the bytes do not have their checksum", name="checksum")
            await self._count()

    async def _discard(self) -> None:
        """Remove what does not count."""
        with anyio.CancelScope(shield=True):
            await in_thread(self._drop)

    def _drop(self) -> None:
        if self._intake is not None:
            self._intake.discard()
            self._intake = None
        for key, _ in self._waiting:
            with suppress(FileOrganizerError):
                self._tus.store.delete(key, version=self._tus.store.stat(key).version)
        self._waiting = []
