"""Links that need no bearer token: bound to one file, one account and one purpose, for minutes."""

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from api.shell.problems import unauthenticated
from api.shell.tokens import TokenKeys

LINK_LIFE_S = 900
"""Seconds that a link counts: the 15 minutes of the specification."""

PURPOSE = b"fileorganizer signed links 1"
_MAC_BYTES = 16
"""128 bits of HMAC-SHA-256 (RFC 2104, section 5: half of the hash at least)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSigner:
    """Makes and checks links.

    Attributes:
        key: secret, 32 bytes.
    """

    key: bytes

    def token(self, account_id: str, file_id: str, *, now: float | None = None) -> str:
        """Return a token for one file of one account."""
        expires = int((time.time() if now is None else now) + LINK_LIFE_S)
        body = UUID(account_id).bytes + expires.to_bytes(5, "big")
        mac = self._mac(body, file_id)
        return base64.urlsafe_b64encode(body + mac).decode().rstrip("=")

    def account_of(self, token: str, file_id: str, *, now: float | None = None) -> str:
        """Return whose file a token opens.

        Raises:
            ProblemError: 401: malformed, for another file, or expired.
        """
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError) as error:
            raise unauthenticated("this link does not count") from error
        body, mac = raw[:21], raw[21:]
        if len(raw) != 21 + _MAC_BYTES or not hmac.compare_digest(mac, self._mac(body, file_id)):
            raise unauthenticated("this link does not count")
        if int.from_bytes(body[16:], "big") < (time.time() if now is None else now):
            raise unauthenticated("this link has expired; ask for the file again")
        return str(UUID(bytes=body[:16]))

    def _mac(self, body: bytes, file_id: str) -> bytes:
        message = body + UUID(file_id).bytes
        return hmac.new(self.key, message, hashlib.sha256).digest()[:_MAC_BYTES]

    def content_url(self, account_id: str, file_id: str) -> str:
        """Return where a file's bytes are for the next minutes."""
        return f"/v1/files/{file_id}/content?token={self.token(account_id, file_id)}"

    def thumbnail_url(self, account_id: str, file_id: str) -> str:
        """Return where a file's thumbnail is for the next minutes."""
        return f"/v1/files/{file_id}/thumbnail?token={self.token(account_id, file_id)}"


def link_signer(keys: TokenKeys) -> LinkSigner:
    """Return the signer of this app; its key comes from the newest token key.

    After that is replaced, links made before it do not count any more: they live for minutes.
    """
    return LinkSigner(key=keys.secret_for(PURPOSE))


async def _signer(request: Request) -> LinkSigner:
    state = request.app.state
    if getattr(state, "link_signer", None) is None:
        state.link_signer = link_signer(state.token_keys)
    return cast("LinkSigner", state.link_signer)


Links = Annotated[LinkSigner, Depends(_signer)]
"""The app's signer of links."""
