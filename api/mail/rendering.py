"""From a template and what it needs to a message: text and HTML, both complete by themselves."""

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.domain.errors import BrokenError
from models.domain.mails import Mail

if TYPE_CHECKING:
    from datetime import datetime

    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

SUBJECT = "Subject: "
"""Begins the first line of every text template."""


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    """Templates: HTML is escaped, a name that is not given is an error, never an empty place."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def rendered(mail: Mail, *, sender: str, public_url: str, now: "datetime") -> EmailMessage:
    """Return the message of a mail.

    Args:
        mail: what to tell whom.
        sender: address of ours, perhaps with a name before it.
        public_url: where people reach the product; the template's `link` puts it before paths.
        now: the date it says, aware.

    Raises:
        BrokenError: there is no such template, or it names something that was not given.
    """
    from jinja2 import TemplateError

    root = public_url.rstrip("/")
    names = {**mail.context, "link": root.__add__, "public_url": root}
    try:
        said = _environment().get_template(f"{mail.template}.txt").render(names)
        html = _environment().get_template(f"{mail.template}.html").render(names)
    except TemplateError as error:
        raise BrokenError(f"the mail template {mail.template} fails: {error}") from error
    first, _, text = said.partition("\n")
    if not first.startswith(SUBJECT):
        raise BrokenError(f"the mail template {mail.template} has no subject")
    message = EmailMessage()
    message["Subject"] = " ".join(first.removeprefix(SUBJECT).split())
    message["From"] = sender
    message["To"] = mail.recipient
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail.id}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(text.strip() + "\n")
    message.add_alternative(html, subtype="html")
    return message


def _domain(sender: str) -> str:
    """The part of an address behind its @."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"
