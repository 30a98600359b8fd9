"""Access tokens: JWTs of ten minutes, signed with Ed25519 (RFC 8037, RFC 9068)."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.shell.problems import unauthenticated
from models.domain.errors import InvalidError
from models.settings import Settings

ALGORITHM = "EdDSA"
ISSUER = "fileorganizer"
AUDIENCE = "fileorganizer-api"
TYPE = "at+jwt"
"""Type of an access token in its header (RFC 9068, section 2.1): no other token passes as one."""
LIFETIME = timedelta(minutes=10)
LEEWAY = timedelta(seconds=5)
REQUIRED = ("iss", "aud", "sub", "sid", "epoch", "iat", "exp", "jti")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says, checked.

    Attributes:
        account_id: whose it is.
        session_id: the session (refresh family) it was made for.
        epoch: `users.token_epoch` at that time; a newer one ends the token.
        stepped_up_at: when its holder last proved who they are, beyond signing in; or None.
    """

    account_id: str
    session_id: str
    epoch: int
    expires_at: datetime
    stepped_up_at: datetime | None = None


class TokenKeys:
    """The keys that sign and check; the last one signs, all of them check.

    Args:
        keys: at least one; the newest last.
    """

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self._public = {key_id(key.public_key()): key.public_key() for key in keys}
        self._signing = keys[-1]
        self._signing_id = key_id(keys[-1].public_key())

    def sign(
        self,
        account_id: str,
        *,
        session_id: str,
        epoch: int = 0,
        stepped_up_at: datetime | None = None,
        lifetime: timedelta = LIFETIME,
        now: datetime | None = None,
    ) -> str:
        """Return an access token.

        Args:
            account_id: whose it is.
            session_id: its session.
            epoch: `users.token_epoch`.
            stepped_up_at: when they proved again who they are, if they did.
            lifetime: how long it counts.
            now: aware; the clock unless given.
        """
        issued = now or datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account_id,
            "sid": session_id,
            "epoch": epoch,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": secrets.token_urlsafe(12),
        }
        if stepped_up_at is not None:
            claims["auth_time"] = int(stepped_up_at.timestamp())
        headers = {"kid": self._signing_id, "typ": TYPE}
        return jwt.encode(claims, self._signing, ALGORITHM, headers=headers)

    def secret_for(self, purpose: bytes) -> bytes:
        """Return a secret of 32 bytes for one purpose, the same wherever these keys are."""
        raw = self._signing.private_bytes_raw()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(raw)

    def check(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            ProblemError: 401: malformed, of another maker, for another purpose, or expired.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = self._public.get(str(header.get("kid")))
            if key is None or header.get("typ") != TYPE:
                raise unauthenticated("this is no access token of ours", error="invalid_token")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY,
                options={"require": list(REQUIRED)},
            )
            return _claims_from(claims)
        except jwt.ExpiredSignatureError as error:
            raise unauthenticated("the token has expired", error="invalid_token") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise unauthenticated("the token does not count", error="invalid_token") from error


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a key: the first 16 hexadecimal digits of its bytes' SHA-256."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sha256(raw).hexdigest()[:16]


def token_keys(settings: Settings) -> TokenKeys:
    """Return the keys of the settings, or those of the home, made at the first start.

    Raises:
        InvalidError: a key is not an Ed25519 private key in PEM.
    """
    if settings.token_keys is not None:
        return TokenKeys(*_read(settings.token_keys.get_secret_value().encode()))
    path = settings.home_path / "keys" / "tokens.pem"
    if not path.exists():
        _make(path)
    return TokenKeys(*_read(path.read_bytes()))


def _make(path: Path) -> None:
    """Make a key that only we can read, whole or not at all; another process may be first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # theirs counts
    finally:
        draft.unlink()


def _read(text: bytes) -> list[Ed25519PrivateKey]:
    """Private keys out of PEM blocks, one after the other."""
    end = b"-----END PRIVATE KEY-----"
    blocks = [block + end for block in text.split(end)[:-1]]
    try:
        keys = [serialization.load_pem_private_key(block, password=None) for block in blocks]
    except ValueError as error:
        raise InvalidError("the token keys cannot be read; PKCS 8 in PEM is wanted") from error
    found = [key for key in keys if isinstance(key, Ed25519PrivateKey)]
    if not found or len(found) != len(keys):
        raise InvalidError("token keys are Ed25519 private keys in PEM, the newest last")
    return found


def _claims_from(claims: Mapping[str, Any]) -> Claims:
    """Claims out of a document whose signature, times and audience were checked."""
    stepped_up = claims.get("auth_time")
    return Claims(
        account_id=str(UUID(claims["sub"])),
        session_id=str(UUID(claims["sid"])),
        epoch=int(claims["epoch"]),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        stepped_up_at=None if stepped_up is None else datetime.fromtimestamp(stepped_up, UTC),
    )
