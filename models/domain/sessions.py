"""Sessions and their refresh tokens: rotation, reuse, and what a replay means.

A refresh token has three parts: the session, a *family* secret that every token of the session
carries, and a secret of its own. Only hashes are stored. A used token is replaced by the one that
`successor` derives from its secret and a salt that is kept: so parallel uses of one token within
the grace get one and the same successor, and neither the database nor a used token alone is enough
to make it.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.domain.errors import InvalidError

REFRESH_GRACE = timedelta(seconds=10)
"""How long a used token is still answered, by its one successor: two tabs, a lost answer."""

SESSION_LIFE = timedelta(days=30)
"""Life of a session that is not used."""

SESSION_MOST = timedelta(days=180)
"""Life of a session however much it is used; then the person signs in again."""

SECRET_BYTES = 32
_ID_BYTES = 16
_PREFIX = "for_"
"""So that scanners for leaked secrets recognize a refresh token."""


class Replay(StrEnum):
    """What presenting a refresh token is."""

    CURRENT = "current"
    """The live token: it is used up now and replaced."""
    GRACE = "grace"
    """The one before it, within the grace: the same successor is the answer."""
    REUSED = "reused"
    """A token that was used up: somebody has a copy. The session ends."""
    UNKNOWN = "unknown"
    """No token of this session."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token, taken apart."""

    session_id: str
    family: bytes
    secret: bytes

    @property
    def text(self) -> str:
        """The token as the client has it."""
        raw = uuid.UUID(self.session_id).bytes + self.family + self.secret
        return _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parsed_refresh_token(text: str) -> RefreshToken:
    """Return a token taken apart.

    Raises:
        InvalidError: it is none.
    """
    body = text.removeprefix(_PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError("this is no refresh token") from error
    if not text.startswith(_PREFIX) or len(raw) != _ID_BYTES + 2 * SECRET_BYTES:
        raise InvalidError("this is no refresh token")
    family, secret = raw[_ID_BYTES:-SECRET_BYTES], raw[-SECRET_BYTES:]
    return RefreshToken(str(uuid.UUID(bytes=raw[:_ID_BYTES])), family, secret)


def hashed(secret: bytes) -> bytes:
    """Return what is stored of a secret of 32 random bytes; no slow hash is needed for those."""
    return hashlib.sha256(secret).digest()


def successor(token: RefreshToken, salt: bytes) -> RefreshToken:
    """Return the token that replaces another; equal arguments give equal tokens."""
    secret = hmac.new(token.secret, b"successor" + salt, hashlib.sha256).digest()
    return RefreshToken(token.session_id, token.family, secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """What is stored of a session's tokens.

    Attributes:
        family_hash: of what all its tokens carry.
        current_hash: of the live token's secret.
        previous_hash: of the one used last; None before the first use.
        salt: what the live token was derived with.
        rotated_at: when.
    """

    family_hash: bytes
    current_hash: bytes
    previous_hash: bytes | None = None
    salt: bytes | None = None
    rotated_at: datetime | None = None


def replay_of(token: RefreshToken, keys: SessionKeys, *, now: datetime) -> Replay:
    """Return what presenting a token means."""
    if not hmac.compare_digest(hashed(token.family), keys.family_hash):
        return Replay.UNKNOWN
    found = hashed(token.secret)
    if hmac.compare_digest(found, keys.current_hash):
        return Replay.CURRENT
    if keys.previous_hash is None or keys.rotated_at is None or keys.salt is None:
        return Replay.REUSED
    is_previous = hmac.compare_digest(found, keys.previous_hash)
    if is_previous and now - keys.rotated_at <= REFRESH_GRACE:
        return Replay.GRACE
    return Replay.REUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in device, as its owner sees it."""

    id: str
    account_id: str
    ip: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


def session_expiry(created_at: datetime, now: datetime) -> datetime:
    """Return until when a session used now may be used again."""
    return min(now + SESSION_LIFE, created_at + SESSION_MOST)
