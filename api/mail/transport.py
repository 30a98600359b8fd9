"""How mail leaves: by SMTP, or into a folder where no server is configured."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from models.domain.errors import BusyError, InvalidError
from models.settings import Settings

TIMEOUT_S = 30.0

PERMANENT = 500
"""SMTP replies from here on will be the same next time (RFC 5321, 4.2.1)."""

_TLS: Mapping[str, bool | None] = {"auto": None, "required": True, "off": False}


class Transport(Protocol):
    """Takes a message; `name` says where to, without secrets."""

    name: str

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over.

        Raises:
            BusyError: try again later.
            InvalidError: the message was refused for good.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAddress:
    """Where and how to reach a server.

    Attributes:
        start_tls: True: TLS or nothing; False: never; None: when the server offers it.
    """

    host: str
    port: int
    username: str | None
    password: str | None
    use_tls: bool
    start_tls: bool | None


def smtp_address(url: str) -> SmtpAddress:
    """Return what an SMTP URL says.

    Args:
        url: `smtp://user:password@host:587`, or `smtps://...` for TLS from the first byte;
            `?starttls=required`, `off` or `auto`. With a password TLS is required unless said.

    Raises:
        InvalidError: it is no such URL. The text does not repeat it: it holds a password.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidError("the port of the SMTP URL is no number") from error
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise InvalidError("an SMTP URL is smtp://user:password@host:587, or smtps://")
    asked = parse_qs(parts.query).get("starttls", ["required" if parts.password else "auto"])[-1]
    if asked not in _TLS:
        raise InvalidError("starttls of the SMTP URL is required, off or auto")
    use_tls = parts.scheme == "smtps"
    return SmtpAddress(
        host=parts.hostname,
        port=port or (465 if use_tls else 587 if parts.username else 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=use_tls,
        start_tls=False if use_tls else _TLS[asked],
    )


class SmtpTransport:
    """Hands messages to an SMTP server, one connection each."""

    def __init__(self, address: SmtpAddress) -> None:
        self._address = address
        self.name = f"smtp {address.host}:{address.port}"

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over; see `Transport`."""
        import aiosmtplib

        address = self._address
        try:
            await aiosmtplib.send(
                message,
                hostname=address.host,
                port=address.port,
                username=address.username,
                password=address.password,
                use_tls=address.use_tls,
                start_tls=address.start_tls,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal([each.code for each in error.recipients], error) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise BusyError(f"{self.name} does not let us in: {error.code}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal([error.code], error) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise BusyError(f"{self.name} does not take mail: {type(error).__name__}") from error


def _refusal(codes: list[int], error: Any) -> BusyError | InvalidError:
    """What replies mean. Their texts often repeat the address, so that only the codes are kept."""
    said = ", ".join(str(code) for code in codes)
    if codes and all(code >= PERMANENT for code in codes):
        return InvalidError(f"the mail server refuses this mail: {said} ({type(error).__name__})")
    return BusyError(f"the mail server does not take this mail now: {said}")


class FolderTransport:
    """Writes messages into a folder, for machines without a mail server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"folder {folder}"

    async def send(self, message: EmailMessage) -> None:
        """Write one message, whole or not at all; the same one again replaces itself."""
        await asyncio.to_thread(self._write, message)

    def _write(self, message: EmailMessage) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = str(message["Message-ID"]).strip("<>").partition("@")[0]
            draft = self._folder / f".{name}"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(message.as_bytes(policy=SMTP))
            draft.replace(self._folder / f"{name}.eml")
        except OSError as error:
            raise BusyError(f"{self.name} cannot be written: {error.strerror}") from error


def mail_folder(settings: Settings) -> Path:
    """Return where mail goes without a server."""
    return settings.home_path / "mail"


def transport_of(settings: Settings) -> Transport:
    """Return how mail leaves.

    Raises:
        InvalidError: the SMTP URL makes no sense.
    """
    if settings.smtp_url is None:
        return FolderTransport(mail_folder(settings))
    return SmtpTransport(smtp_address(settings.smtp_url.get_secret_value()))
