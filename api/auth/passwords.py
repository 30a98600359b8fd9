"""Password hashes: Argon2id (RFC 9106), made in threads, remade when their cost changes."""

import asyncio
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, cast

from fastapi import Request
from pwdlib.exceptions import HasherNotAvailable, UnknownHashError
from pwdlib.hashers import HasherProtocol

from models.domain.accounts import PASSWORD_LEAST, check_password, normalized_password
from models.settings import Settings

LANES = 4
"""Parallel lanes of a hash, as RFC 9106 section 4 has them in both recommendations."""


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Return passwords known from breaches that our rules would not refuse anyway, lower case.

    The list is that of zxcvbn (Wheeler 2016, zxcvbn: Low-Budget Password Strength Estimation):
    the 30,000 most frequent of several breaches; nothing is asked for over the network.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(
        word.lower() for word in FREQUENCY_LISTS["passwords"] if len(word) >= PASSWORD_LEAST
    )


def argon2id(settings: Settings) -> HasherProtocol:
    """Return a hasher of the configured cost."""
    from pwdlib.hashers.argon2 import Argon2Hasher

    return Argon2Hasher(
        time_cost=settings.password_passes,
        memory_cost=settings.password_memory_kib,
        parallelism=LANES,
    )


Result = TypeVar("Result")


class Passwords:
    """Makes and verifies hashes, as many at a time as there are cores.

    Args:
        hasher: Argon2id of the cost that new hashes shall have.
    """

    def __init__(self, hasher: HasherProtocol) -> None:
        from pwdlib import PasswordHash

        self._hash = PasswordHash((hasher,))
        self._turn = asyncio.Semaphore(os.cpu_count() or 1)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash of a new password."""
        return await self._work(lambda: self._hash.hash(normalized_password(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Return whether a password is right, and a newer hash where the stored one is outdated.

        Whatever is stored, one hash of the present cost is computed: for an address that nobody
        has, or an account without a password, against a hash that nothing matches.
        """
        known = stored if stored and stored.startswith("$argon2") else None
        against = known or await self._nobody()
        try:
            is_right, newer = await self._work(
                lambda: self._hash.verify_and_update(normalized_password(password), against)
            )
        except (UnknownHashError, HasherNotAvailable):
            return False, None
        return (is_right, newer) if known else (False, None)

    async def _nobody(self) -> str:
        """The hash of a password that nobody knows; made once."""
        if self._nobodys is None:
            self._nobodys = await self.hash(secrets.token_urlsafe(32))
        return self._nobodys

    async def _work(self, job: Callable[[], Result]) -> Result:
        async with self._turn:
            return await asyncio.to_thread(job)


def passwords_of(request: Request) -> Passwords:
    """Return the app's password hasher."""
    state = request.app.state
    if not hasattr(state, "passwords"):
        state.passwords = Passwords(argon2id(state.settings))
    return cast("Passwords", state.passwords)


def checked_password(password: str, *about: str | None) -> str:
    """Return a new password that may be used.

    Args:
        password: what was chosen.
        about: what belongs to the person: names, the address, its first part.

    Raises:
        InvalidError: it is too short, too long, or would be guessed.
    """
    normal = normalized_password(password)
    check_password(normal, common=common_passwords(), about=[text for text in about if text])
    return normal
