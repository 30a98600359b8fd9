"""Secrets at rest: sealed with a key of the operator's, bound to what they belong to."""

import base64
import binascii
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from models.domain.errors import BrokenError, InvalidError
from models.settings import Settings

KEY_BYTES = 32
"""AES-256."""

NONCE_BYTES = 12
"""What AES-GCM is specified for (NIST SP 800-38D, section 5.2.1.1)."""

VERSION = "v1:"


class Sealer:
    """Encrypts small documents by AES-256-GCM.

    Args:
        keys: 32 bytes each; the last one seals, all of them open.
    """

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise InvalidError(f"connection keys are {KEY_BYTES} bytes in base64, the newest last")
        self._keys = keys

    def seal(self, document: Mapping[str, str], *, bound_to: str) -> str:
        """Return a document as a text that only the keys can open.

        Args:
            document: the secrets.
            bound_to: what they belong to; elsewhere the text cannot be opened.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = json.dumps(dict(document)).encode()
        sealed = AESGCM(self._keys[-1]).encrypt(nonce, plain, bound_to.encode())
        return VERSION + base64.b64encode(nonce + sealed).decode()

    def open(self, text: str, *, bound_to: str) -> dict[str, str]:
        """Return a sealed document.

        Raises:
            BrokenError: none of the keys opens it, or it belongs elsewhere.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            raw = base64.b64decode(text.removeprefix(VERSION), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BrokenError("sealed credentials are malformed") from error
        for key in reversed(self._keys):
            try:
                plain = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode())
            except (InvalidTag, ValueError):
                continue
            found: dict[str, str] = json.loads(plain)
            return found
        raise BrokenError("no key of FILEORGANIZER_CONNECTION_KEYS opens these credentials")


def sealer_of(settings: Settings) -> Sealer:
    """Return the sealer of the settings' keys, or of the home's, made on first use.

    Raises:
        InvalidError: a key is malformed.
    """
    if settings.connection_keys is not None:
        return Sealer(*_keys_in(settings.connection_keys.get_secret_value()))
    path = settings.home_path / "keys" / "connections.key"
    if not path.exists():
        _make(path)
    return Sealer(*_keys_in(path.read_text()))


def _keys_in(text: str) -> list[bytes]:
    try:
        return [base64.b64decode(word, validate=True) for word in text.split()]
    except (binascii.Error, ValueError) as error:
        raise InvalidError("connection keys are base64, separated by spaces") from error


def _make(path: Path) -> None:
    """Make a key that only we can read, whole or not at all; another process may be first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # theirs counts
    finally:
        draft.unlink()
