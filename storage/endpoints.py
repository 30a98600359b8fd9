"""Where a connection may lead: public servers over TLS, and what the operator allows besides."""

import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from models.domain.errors import BusyError, ForbiddenError, InvalidError
from storage.opening import canonical_url, local_path

HTTPS_PORT = 443


def check_endpoint(url: str, *, allowed: Iterable[str] = ()) -> str:
    """Return an endpoint that customers may let us talk to.

    Names are resolved now, and again whenever the endpoint is used: a name that has moved into the
    operator's network since is refused then.

    Args:
        url: `https://host`, as a customer gave it.
        allowed: endpoints that the operator vouches for, to the letter.

    Raises:
        InvalidError: it is no plain `https://host`.
        ForbiddenError: it leads to an address that is not public.
        BusyError: its name cannot be resolved now.
    """
    if url in set(allowed):
        return url
    parts = _parts(url)
    host, port = parts
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BusyError(f"the name of the endpoint cannot be resolved: {error}") from error
    for *_, address in found:
        if not _is_public(str(address[0])):
            raise ForbiddenError("the endpoint leads to an address that is not public")
    return url


def _parts(url: str) -> tuple[str, int]:
    """Host and port of a plain `https://host`."""
    plain = "an endpoint is https://host, without path, user or query, on port 443"
    if any(ord(letter) <= ord(" ") or letter == "\\" for letter in url):
        raise InvalidError(plain)
    try:
        parts = urlsplit(url)
        port = parts.port or HTTPS_PORT
    except ValueError as error:
        raise InvalidError(plain) from error
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme != "https" or not parts.hostname or extra or port != HTTPS_PORT:
        raise InvalidError(plain)
    return parts.hostname, port


def _is_public(address: str) -> bool:
    """Whether an address is one of the public internet, whatever it is wrapped in."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        for inner in (found.ipv4_mapped, found.sixtofour, found.teredo and found.teredo[1]):
            if inner is not None:
                return _is_public(str(inner))
        if found in ipaddress.ip_network("64:ff9b::/96"):  # NAT64 (RFC 6052)
            return _is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


def check_folder(url: str, *, allowed: Iterable[Path]) -> str:
    """Return a folder that customers may connect: at or below one the operator allows.

    Args:
        url: a canonical `file://` URL; links in it are followed once more, now.
        allowed: the operator's folders.

    Raises:
        ForbiddenError: it is not below any of them, or a link leads out.
    """
    path = local_path(url)
    roots = [folder.expanduser().absolute().resolve(strict=False) for folder in allowed]
    is_below = any(path == root or root in path.parents for root in roots)
    if canonical_url(str(path)) != url or not is_below:
        raise ForbiddenError(
            "only folders below those that the operator allows can be connected "
            "(FILEORGANIZER_ALLOWED_FOLDERS)"
        )
    return url
