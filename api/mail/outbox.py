"""The outbox of mail: put in with what a mail tells of, taken out by one sender at a time.

A room that has something to tell calls `enqueue` inside its own transaction:

    await enqueue(connection, Mail(
        id=mail_id("job_ended", job.id),         # telling it twice sends it once
        template="job_ended",                    # api/mail/templates/job_ended.txt and .html
        recipient=account.email,
        account_id=account.id,
        context={"files": 12, "path": "/jobs/..."},   # JSON; `link(path)` in the template
    ))

The mail exists if and only if the transaction commits. The dispatcher's process sends it, again
after a failure, for `KEEP_TRYING`; then the row stays with `failed_at` and the reason. Flows put
mail in by `models.tables.statements.ENQUEUE_MAIL`, which is all that `enqueue` runs.

A sender that dies between the server's "accepted" and its own commit sends that mail again, with
the same Message-ID: nothing is lost, and receivers that look at the id show it once.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from models.domain.mails import Mail
from models.tables.base import table_of
from models.tables.mail import OutgoingMailRow
from models.tables.statements import ENQUEUE_MAIL, mail_parameters
from models.tables.translation import translated

MAILS = table_of(OutgoingMailRow)

KEEP_TRYING = timedelta(days=3)
"""How long a mail is tried; the links in it have expired by then. RFC 5321 4.5.4.1 advises four to
five days for mail of people, which ours is not."""

CLAIM = text("""
SELECT id::text AS id, user_id::text AS account_id, recipient, template, context, attempts,
       created_at, clock_timestamp() AS now
  FROM outgoing_mails
 WHERE sent_at IS NULL AND failed_at IS NULL AND next_attempt_at <= clock_timestamp()
 ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED""")
"""The next mail that is due; other senders skip it until this transaction ends, however it ends."""


async def enqueue(connection: AsyncConnection, mail: Mail) -> bool:
    """Put a mail into the outbox of the caller's transaction; return whether it is new.

    Raises:
        FileOrganizerError: what the database's errors become.
    """
    with translated():
        found = await connection.execute(ENQUEUE_MAIL, mail_parameters(mail))
    return found.first() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMail:
    """A mail that is due.

    Attributes:
        attempts: how often sending failed so far.
        is_last: whether a failure now is the last one.
    """

    mail: Mail
    attempts: int
    created_at: datetime
    is_last: bool


class MailClaim:
    """One mail, held until the transaction ends."""

    def __init__(self, connection: AsyncConnection, due: DueMail) -> None:
        self._connection = connection
        self.due = due

    async def sent(self) -> None:
        """Mark it as taken by a server, and forget what was in it."""
        await self._settle(sent_at=func.clock_timestamp(), context={}, last_error=None)

    async def postponed(self, delay_s: float, reason: str) -> None:
        """Try again after `delay_s` seconds."""
        await self._settle(
            attempts=MAILS.c.attempts + 1,
            next_attempt_at=func.clock_timestamp() + timedelta(seconds=delay_s),
            last_error=reason,
        )

    async def failed(self, reason: str) -> None:
        """Give it up; the row stays, without what was in it."""
        await self._settle(
            attempts=MAILS.c.attempts + 1,
            failed_at=func.clock_timestamp(),
            context={},
            last_error=reason,
        )

    async def _settle(self, **values: Any) -> None:
        change = update(MAILS).where(MAILS.c.id == self.due.mail.id).values(**values)
        await self._connection.execute(change)


class MailOutbox:
    """What the sender needs of the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def claim(self) -> AsyncGenerator[MailClaim | None]:
        """Hold the next mail that is due, None when there is none; commits at the end.

        Raises:
            BusyError: Postgres does not answer.
        """
        with translated():
            async with self._engine.begin() as connection:
                row = (await connection.execute(CLAIM)).mappings().one_or_none()
                if row is None:
                    yield None
                    return
                mail = Mail(
                    id=row["id"],
                    template=row["template"],
                    recipient=row["recipient"],
                    context=row["context"],
                    account_id=row["account_id"],
                )
                yield MailClaim(
                    connection,
                    DueMail(
                        mail=mail,
                        attempts=row["attempts"],
                        created_at=row["created_at"],
                        is_last=row["now"] - row["created_at"] >= KEEP_TRYING,
                    ),
                )
