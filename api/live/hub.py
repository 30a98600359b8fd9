"""From one listener to everybody of this process who follows an account."""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from api.live.messages import Message

MOST_WAITING = 500
"""Messages kept for a follower who is slow; beyond, they are read from the tables again."""


class Mailbox:
    """What waits for one follower."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._filled = asyncio.Event()
        self.is_stale = True
        """Whether something may be missing, so that the tables have to be read."""

    def put(self, message: Message) -> None:
        """Leave a message."""
        if len(self._waiting) >= MOST_WAITING:
            self.mark_stale()
            return
        self._waiting.append(message)
        self._filled.set()

    def mark_stale(self) -> None:
        """Say that messages may have been lost: what waits is found in the tables, too."""
        self._waiting.clear()
        self.is_stale = True
        self._filled.set()

    def take(self) -> Message | None:
        """Return the next message, or None when nothing waits."""
        if self._waiting:
            return self._waiting.popleft()
        self._filled.clear()
        return None

    async def wait(self, within_s: float) -> None:
        """Return when something waits or is missing, or when the time is up."""
        if self._waiting or self.is_stale:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._filled.wait()
        except TimeoutError:
            pass


class Hub:
    """The mailboxes of this process, by account."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, set[Mailbox]] = {}

    @contextmanager
    def subscribe(self, account_id: str) -> Generator[Mailbox]:
        """Have a mailbox for what happens to an account."""
        mailbox = Mailbox()
        mine = self._mailboxes.setdefault(account_id, set())
        mine.add(mailbox)
        try:
            yield mailbox
        finally:
            mine.discard(mailbox)
            if not mine and self._mailboxes.get(account_id) is mine:
                del self._mailboxes[account_id]

    def is_followed(self, account_id: str) -> bool:
        """Return whether anybody here wants to know of an account."""
        return account_id in self._mailboxes

    def is_empty(self) -> bool:
        """Return whether nobody here wants to know anything."""
        return not self._mailboxes

    def followers(self, account_id: str) -> int:
        """Return how many follow an account here."""
        return len(self._mailboxes.get(account_id, ()))

    def put(self, account_id: str, message: Message) -> None:
        """Leave a message with everybody who follows an account."""
        for mailbox in self._mailboxes.get(account_id, ()):
            mailbox.put(message)

    def mark_stale(self) -> None:
        """Say to all that messages may have been lost."""
        for mailboxes in self._mailboxes.values():
            for mailbox in mailboxes:
                mailbox.mark_stale()
