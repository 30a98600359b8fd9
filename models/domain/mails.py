"""A mail that somebody shall get."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail, by the name of its template and what that needs; it is rendered when it is sent.

    Attributes:
        template: name of the files in `api/mail/templates`, without their endings.
        recipient: address.
        context: what the template names; JSON values only, links as paths below the public URL.
        account_id: whose it is; goes with the account. None where nobody's.
        id: identity; a mail of an id that exists is not put in again. Derive it from what it tells
            of (`mail_id`) where the teller may repeat itself.
    """

    template: str
    recipient: str
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    account_id: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def mail_id(*parts: str) -> str:
    """Return the id of the one mail that tells of something, such as `job_ended` and a job's id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "fileorganizer:mail:" + ":".join(parts)))
