"""Rows of resumable uploads."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from models.domain.errors import ConflictError, MissingError
from models.domain.upload_sessions import UploadSession
from models.tables.base import table_of
from models.tables.uploads import StorageReservationRow, UploadSessionRow

SESSIONS = table_of(UploadSessionRow)
RESERVATIONS = table_of(StorageReservationRow)


class HeldError(ConflictError):
    """Another request is writing to this upload."""


def of_account(account_id: str) -> Select[Any]:
    """Return the query for an account's resumable uploads."""
    return select(SESSIONS, (SESSIONS.c.expires_at <= func.now()).label("is_expired")).where(
        SESSIONS.c.user_id == account_id
    )


def _session_from(row: Mapping[Any, Any]) -> UploadSession:
    return UploadSession(
        account_id=row["user_id"],
        tags=tuple(row["tags"]),
        segments=tuple(row["segments"]),
        metadata=row["upload_metadata"],
        **{name: row[name] for name in _SAME_NAME},
    )


_SAME_NAME = (
    "id",
    "reservation_id",
    "filename",
    "category",
    "size_bytes",
    "received_bytes",
    "expires_at",
    "file_id",
    "is_expired",
)


async def session_of(
    connection: AsyncConnection, account_id: str, session_id: str
) -> UploadSession:
    """Return a resumable upload.

    Raises:
        MissingError: there is none, or it is somebody else's.
    """
    query = of_account(account_id).where(SESSIONS.c.id == session_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise MissingError("there is no such upload")
    return _session_from(row)


async def begin_session(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Write a new resumable upload down."""
    await connection.execute(insert(SESSIONS).values(**values))


def _mine(account_id: str, session_id: str) -> Any:
    return and_(SESSIONS.c.id == session_id, SESSIONS.c.user_id == account_id)


async def hold(
    connection: AsyncConnection, account_id: str, session_id: str, by: str, life: timedelta
) -> None:
    """Hold an upload for one request, or hold on to it.

    Raises:
        HeldError: another request is writing.
        MissingError: there is no such upload.
    """
    is_free = or_(
        SESSIONS.c.held_by.is_(None),
        SESSIONS.c.held_by == by,
        SESSIONS.c.held_until <= func.clock_timestamp(),
    )
    change = (
        update(SESSIONS)
        .where(_mine(account_id, session_id), is_free)
        .values(held_by=by, held_until=func.clock_timestamp() + literal(life))
    )
    if (await connection.execute(change)).rowcount:
        return
    await session_of(connection, account_id, session_id)
    raise HeldError("another request is writing to this upload")


async def let_go(connection: AsyncConnection, account_id: str, session_id: str, by: str) -> None:
    """Let other requests write."""
    change = (
        update(SESSIONS)
        .where(_mine(account_id, session_id), SESSIONS.c.held_by == by)
        .values(held_by=None, held_until=None)
    )
    await connection.execute(change)


async def add_segments(
    connection: AsyncConnection,
    session: UploadSession,
    by: str,
    added: Sequence[tuple[str, int]],
    life: timedelta,
) -> None:
    """Count segments (key and size) that are safe now; the upload's life begins anew.

    Raises:
        ConflictError: another request holds the upload by now.
    """
    expires = func.now() + literal(life)
    change = (
        update(SESSIONS)
        .where(_mine(session.account_id, session.id), SESSIONS.c.held_by == by)
        .values(
            received_bytes=SESSIONS.c.received_bytes + sum(size for _, size in added),
            segments=SESSIONS.c.segments + array([key for key, _ in added]),
            expires_at=expires,
        )
    )
    if not (await connection.execute(change)).rowcount:
        raise ConflictError("another request writes to this upload by now")
    renewed = update(RESERVATIONS).where(
        RESERVATIONS.c.id == session.reservation_id,
        RESERVATIONS.c.user_id == session.account_id,
    )
    await connection.execute(renewed.values(expires_at=expires))


async def finish_session(connection: AsyncConnection, session: UploadSession) -> None:
    """Remember which file an upload became; its segments are nobody's any more."""
    change = (
        update(SESSIONS)
        .where(_mine(session.account_id, session.id))
        .values(file_id=session.id, reservation_id=None, segments=[])
    )
    await connection.execute(change)


async def drop_session(connection: AsyncConnection, account_id: str, session_id: str) -> None:
    """Forget an upload."""
    await connection.execute(delete(SESSIONS).where(_mine(account_id, session_id)))
