"""Inside a child: one mail."""

from email import policy
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime

from tasks.fingerprint.parsing import Facts, Request, claim, clean
from tasks.fingerprint.signatures import decode_text
from tasks.fingerprint.sources import FetchedFile

HEADER_BYTES = 256 * 1024
"""Read for the headers; mail servers refuse longer ones (Postfix: 100 kB)."""


def read_mail(_request: Request, file: FetchedFile) -> Facts:
    """Return sender, subject and date of a mail.

    Raises:
        ValueError: there is no header at all.
    """
    head = file.opened().read(HEADER_BYTES)
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        head = (decode_text(head) or "").encode(errors="replace")
    headers = BytesHeaderParser(policy=policy.compat32).parsebytes(head.lstrip())
    if not headers.keys():
        raise ValueError("no mail header")
    return {
        "sender": _address(headers.get("From")),
        "title": _decoded(headers.get("Subject")),
        "dates": _date(headers.get("Date")),
    }


def _decoded(value: object) -> str | None:
    from email.header import decode_header, make_header

    try:
        return clean(str(make_header(decode_header(str(value))))) if value is not None else None
    except (LookupError, ValueError):  # an unknown or broken encoding
        return clean(value)


def _address(value: object) -> str | None:
    from email.utils import parseaddr

    name, address = parseaddr(_decoded(value) or "")
    return clean(address) or clean(name)


def _date(value: object) -> list[dict[str, str]]:
    if value is None:
        return []
    try:
        return claim("container", parsedate_to_datetime(str(value)).isoformat())
    except (ValueError, TypeError, IndexError, OverflowError):
        return claim("container", value)
