"""Whose keys open which bucket: told for a stretch of work, never kept in a URL or a row."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Keys of one connection; its text shows none of them.

    Attributes:
        endpoint_url: S3-compatible server; None is AWS.
        region: of the bucket; None lets the client find it.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    endpoint_url: str | None = None
    region: str | None = None


_ACCESS: ContextVar[Mapping[str, S3Access]] = ContextVar("storage_access")
"""By URL of a root. A context variable: threads that a flow starts for its tasks inherit it, and
nothing outside the stretch of work sees it."""


@contextmanager
def access_to(roots: Mapping[str, S3Access]) -> Generator[None]:
    """Let stores be opened with these keys inside.

    Args:
        roots: keys by canonical URL of the root that they open, everything below it included.
    """
    token = _ACCESS.set({**_ACCESS.get({}), **roots})
    try:
        yield
    finally:
        _ACCESS.reset(token)


def access_for(url: str) -> S3Access | None:
    """Return the keys of the nearest root at or above a URL; None: those of the environment."""
    known = _ACCESS.get({})
    at = url
    while True:
        if at in known:
            return known[at]
        at, slash, _ = at.rpartition("/")
        if not slash or at.endswith(":/"):
            return None
