"""Who carries a request out that came more than once, and what was answered."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.domain.errors import ConflictError, FileOrganizerError
from models.tables.translation import translated

LEASE_S = 60
KEPT = "interval '24 hours'"
"""How long an answer is kept (as Stripe keeps its own)."""

TAKE = text(f"""
INSERT INTO idempotency_keys AS k (key_hash, user_id, claim, claimed_until)
VALUES (:key_hash, CAST(:user_id AS uuid), CAST(:claim AS uuid),
        clock_timestamp() + make_interval(secs => {LEASE_S}))
ON CONFLICT (key_hash) DO UPDATE
   SET claim = excluded.claim, claimed_until = excluded.claimed_until, created_at = now(),
       answer = NULL, request_hash = NULL, has_effect = false
 WHERE k.created_at < now() - {KEPT}
    OR (k.answer IS NULL AND NOT k.has_effect AND k.claimed_until < clock_timestamp())
RETURNING 1""")  # noqa: S608 -- constants of this module
"""Take a key that is free, that is old, or whose holder died before anything took effect."""

FIND = text("""
SELECT request_hash, answer, has_effect, claimed_until < clock_timestamp() AS is_dead
  FROM idempotency_keys WHERE key_hash = :key_hash""")

_MINE = "WHERE key_hash = :key_hash AND claim = CAST(:claim AS uuid)"
_UPDATE = "UPDATE idempotency_keys SET"
RENEW = text(
    f"{_UPDATE} claimed_until = clock_timestamp() + make_interval(secs => {LEASE_S}) {_MINE}"
)
MARK = text(f"{_UPDATE} has_effect = true {_MINE}")
FINISH = text(f"{_UPDATE} answer = :answer, request_hash = :request_hash {_MINE}")
LET_GO = text(f"{_UPDATE} claimed_until = clock_timestamp() {_MINE}")
FORGET = text(f"DELETE FROM idempotency_keys {_MINE} AND (:is_refused OR NOT has_effect)")  # noqa: S608 -- constants of this module
SWEEP = text(f"DELETE FROM idempotency_keys WHERE created_at < now() - {KEPT}")  # noqa: S608 -- constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to carry a request out."""

    key_hash: str
    claim: str
    user_id: str | None

    @property
    def names(self) -> dict[str, Any]:
        """Parameters of the statements."""
        return {"key_hash": self.key_hash, "claim": self.claim}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a request that came before; `is_dead` when its holder is gone."""

    request_hash: str | None
    answer: bytes | None
    has_effect: bool
    is_dead: bool


class IdempotencyStore:
    """The table of keys; each method is one short transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, claim: Claim) -> Found | None:
        """Take a key; None when it is ours now, else what is known of it."""
        while True:
            with translated():
                async with self._engine.begin() as connection:
                    asked = {**claim.names, "user_id": claim.user_id}
                    if (await connection.execute(TAKE, asked)).first() is not None:
                        return None
                    found = (await connection.execute(FIND, claim.names)).mappings().first()
            if found is not None:  # else it was released in between
                return Found(**cast("Mapping[str, Any]", found))

    async def renew(self, claim: Claim) -> None:
        """Say that its holder lives."""
        await self._run(RENEW, claim.names)

    async def finish(self, claim: Claim, *, request_hash: str, answer: bytes) -> None:
        """Keep the answer."""
        await self._run(FINISH, {**claim.names, "request_hash": request_hash, "answer": answer})

    async def release(self, claim: Claim, *, is_refused: bool) -> None:
        """Give the key back, unless something took effect: then nobody may carry it out again.

        Args:
            claim: ours.
            is_refused: it was not asked for by who may: what was committed is a note of that.
        """
        await self._run(FORGET, {**claim.names, "is_refused": is_refused})
        await self._run(LET_GO, claim.names)

    async def sweep(self) -> None:
        """Forget every hour what is older than a day."""
        while True:
            with contextlib.suppress(FileOrganizerError):
                await self._run(SWEEP, {})
            await asyncio.sleep(3600)

    async def _run(self, statement: Any, values: Mapping[str, Any]) -> None:
        with translated():
            async with self._engine.begin() as connection:
                await connection.execute(statement, values)


async def mark_effect(connection: AsyncConnection, claim: Claim) -> None:
    """Note, in the transaction that takes effect, that it did.

    Raises:
        ConflictError: somebody else has taken over; nothing is committed.
    """
    changed = await connection.execute(MARK, claim.names)
    if changed.rowcount != 1:
        raise ConflictError("another request with this Idempotency-Key took over")
