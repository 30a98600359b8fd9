"""An account: who a customer is, and the rules of names, addresses and passwords."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from models.domain.errors import InvalidError

PASSWORD_LEAST = 8
"""Characters of a password at least (NIST SP 800-63B, 5.1.1.2)."""

PASSWORD_MOST = 1024
"""Characters at most: far above the 64 that NIST SP 800-63B asks for; hashing stays cheap."""

EMAIL_MOST = 255
USERNAME_LEAST = 2
USERNAME_MOST = 100
"""Lengths of the columns of `users`."""

NO_PASSWORD = "!"  # noqa: S105 - says that there is none
"""What stands for the hash of an account that nobody signs in to."""

_USERNAME = re.compile(r"\w[\w.\-]*\Z")
_TAIL = re.compile(r"[\W\d_]+\Z")

OBVIOUS = frozenset({"fileorganizer", "fileorganizerpro"})
"""What everybody guesses first here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account, as its owner may see it.

    Attributes:
        tier: plan that counts now.
        token_epoch: raised to end every session at once.
        deleted_at: when it was erased; nobody signs in any more.
    """

    id: str
    email: str
    username: str
    full_name: str | None
    avatar_url: str | None
    tier: str
    is_active: bool
    is_verified: bool
    token_epoch: int
    created_at: datetime
    last_login_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def may_sign_in(self) -> bool:
        """Whether sessions of it may begin and go on."""
        return self.is_active and self.deleted_at is None


def normalized_username(text: str) -> str:
    """Return a name to sign in by, in one Unicode form.

    Raises:
        InvalidError: too short, too long, or with characters other than letters, digits, `._-`.
    """
    name = unicodedata.normalize("NFKC", text).strip()
    if not USERNAME_LEAST <= len(name) <= USERNAME_MOST:
        raise InvalidError(f"a username has {USERNAME_LEAST} to {USERNAME_MOST} characters")
    if not _USERNAME.match(name):
        raise InvalidError("a username has letters, digits, dots, dashes and underscores only")
    return name


def normalized_password(text: str) -> str:
    """Return what is hashed of a password: one form, whichever keyboard it was typed on.

    The form is NFKC, as NIST SP 800-63B 5.1.1.2 advises. Spaces at the ends count.
    """
    return unicodedata.normalize("NFKC", text)


def check_password(password: str, *, common: Collection[str], about: Collection[str] = ()) -> None:
    """Refuse a new password that others would guess. Composition rules there are none.

    Args:
        password: what was chosen, normalized.
        common: passwords known from breaches, lower case.
        about: what belongs to the person: address, its first part, names.

    Raises:
        InvalidError: too short or too long, known from a breach, or made of what is known of the
            person. The text says which; it never repeats the password.
    """
    if len(password) < PASSWORD_LEAST:
        raise InvalidError(f"a password has at least {PASSWORD_LEAST} characters")
    if len(password) > PASSWORD_MOST:
        raise InvalidError(f"a password has at most {PASSWORD_MOST} characters")
    lower = password.lower()
    stem = _TAIL.sub("", lower)
    if lower in common or len(set(lower)) == 1:
        raise InvalidError("this password is among those that were breached; choose another")
    known = {text.lower() for text in about if text} | OBVIOUS
    if lower in known or stem in known:
        raise InvalidError("a password is not the name, address or product; choose another")
