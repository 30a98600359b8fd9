"""One reader of what happens to an account: in order, without gaps, each once."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from api.live.hub import Mailbox
from api.live.messages import Message, of_event, of_notice
from api.live.repository import MOST, Happenings
from api.shell.database import account_transaction

NOTICES_MOST = 1000
"""Ids of notices remembered, so that none is told twice."""


class Following:
    """What one reader has got.

    Args:
        engine: of the database.
        mailbox: from the hub; subscribed before the first read, so nothing falls between.
        account_id: whose.
        only: the one job that is followed; None: all of the account, and its notices.
    """

    def __init__(
        self, engine: AsyncEngine, mailbox: Mailbox, account_id: str, *, only: str | None = None
    ) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._account_id = account_id
        self._only = only
        self._known: dict[str, int] = {}
        self._since: datetime | None = None
        self._noticed: OrderedDict[str, None] = OrderedDict()

    async def begin(self, last: Mapping[str, int]) -> None:
        """Take the place from which news are told.

        Args:
            last: by job the number of the event that the reader got last; events of other jobs are
                told from now on. Jobs that are not the account's are passed over.
        """
        async with account_transaction(self._engine, self._account_id) as connection:
            happenings = Happenings(connection, self._account_id)
            self._since = await happenings.now()
            self._known = {} if self._only else await happenings.numbers()
            newest = await happenings.numbers_of(last) if last else {}
        self._known |= {job_id: min(last[job_id], seq) for job_id, seq in newest.items()}

    async def watch(self, job_id: str, seq: int) -> None:
        """Tell the events of a job after a number, too, those that were told already again.

        Raises:
            MissingError: there is no such job of the account.
        """
        async with account_transaction(self._engine, self._account_id) as connection:
            newest, _ = await Happenings(connection, self._account_id).newest(job_id)
        self._known[job_id] = min(seq, newest)
        self._mailbox.mark_stale()

    async def news(self, within_s: float) -> list[Message]:
        """Return what happened next; empty when nothing did within the time."""
        await self._mailbox.wait(within_s)
        if self._mailbox.is_stale:
            self._mailbox.is_stale = False
            return await self._missed()
        found: list[Message] = []
        while (message := self._mailbox.take()) is not None:
            if self._is_next(message):
                found.append(message)
        return found

    async def _missed(self) -> list[Message]:
        """What the tables have beyond what was told."""
        assert self._since is not None  # noqa: S101 -- `begin` comes first
        async with account_transaction(self._engine, self._account_id) as connection:
            happenings = Happenings(connection, self._account_id)
            if self._only is None:
                appeared = await happenings.numbers(since=self._since)
                self._known = dict.fromkeys(appeared, 0) | self._known
            events = await happenings.events_after(self._known)
            notices = [] if self._only else await happenings.notices_since(self._since)
        if len(events) == MOST:
            self._mailbox.mark_stale()
        told = [of_event(each) for each in events]
        return [each for each in (*told, *map(of_notice, notices)) if self._is_next(each)]

    def _is_next(self, message: Message) -> bool:
        """Whether a message is to be told now; where one before it is missing, ask for all."""
        if message.job_id is None:
            return self._only is None and self._is_new(str(message.data["id"]))
        if self._only not in (None, message.job_id):
            return False
        known = self._known.get(message.job_id)
        if known is None:
            if not message.is_asked_for:
                return False
            known = message.seq - 1
        if message.seq > known + 1:
            self._mailbox.mark_stale()
        if message.seq != known + 1:
            return False
        self._known[message.job_id] = message.seq
        return True

    def _is_new(self, notice_id: str) -> bool:
        if notice_id in self._noticed:
            return False
        self._noticed[notice_id] = None
        if len(self._noticed) > NOTICES_MOST:
            self._noticed.popitem(last=False)
        return True
