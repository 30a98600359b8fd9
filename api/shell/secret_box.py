"""Secrets of customers at rest: encrypted with keys that the database does not have."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from models.domain.errors import BrokenError, InvalidError
from models.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class SecretBox:
    """Encrypts with the newest key, and reads what any of them wrote (Fernet: AES-128, HMAC).

    Args:
        keys: in base64, the newest last; at least one.

    Raises:
        InvalidError: a key is none.
    """

    def __init__(self, *keys: str) -> None:
        self._box = _box(keys)

    def seal(self, secret: bytes) -> bytes:
        """Return a secret, encrypted."""
        return self._box.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Return a secret again.

        Raises:
            BrokenError: none of the keys fits: it was written with another one.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._box.decrypt(sealed)
        except InvalidToken as error:
            raise BrokenError("a stored secret was written with a key that is not here") from error


def _box(keys: tuple[str, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet

    try:
        return MultiFernet([Fernet(key) for key in reversed(keys)])
    except (ValueError, TypeError) as error:
        raise InvalidError(
            "secret keys are Fernet keys (32 bytes in base64), separated by commas"
        ) from error


def secret_box(settings: Settings) -> SecretBox:
    """Return the box with the keys of the settings, or of the home, made at the first start.

    Raises:
        InvalidError: a key is none.
    """
    if settings.secret_keys is not None:
        return SecretBox(
            *(key.strip() for key in settings.secret_keys.get_secret_value().split(","))
        )
    path = settings.home_path / "keys" / "secrets.key"
    if not path.exists():
        _make(path)
    return SecretBox(*path.read_text(encoding="ascii").split())


def _make(path: Path) -> None:
    """Make a key that only we can read, whole or not at all; another process may be first."""
    from cryptography.fernet import Fernet

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # theirs counts
    finally:
        draft.unlink()
