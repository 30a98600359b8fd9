"""How a destination compares names, and what it can hold."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from models.domain.paths import fold

MAX_KEY_BYTES = 4000
"""Longest key on disk in UTF-8: Linux resolves at most 4,096 (PATH_MAX in linux/limits.h), and the
root has its share of that. On S3 it is 1,024 (Object key names)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How the destination compares names, as its `Store` says, and what it can hold.

    Attributes:
        folds_case: `a` and `A` are one name.
        normalizes_unicode: composed and decomposed characters are one name.
        max_key_bytes: longest key.
    """

    folds_case: bool = False
    normalizes_unicode: bool = False
    max_key_bytes: int = MAX_KEY_BYTES

    @property
    def is_exact(self) -> bool:
        """Whether names are equal only when they are the same bytes."""
        return not (self.folds_case or self.normalizes_unicode)

    def key(self) -> Callable[[str], str]:
        """Return the function that maps equal names to equal texts."""
        if self.folds_case:
            return lambda name: name.lower() if name.isascii() else fold(name)
        if self.normalizes_unicode:
            return lambda name: unicodedata.normalize("NFC", name)
        return lambda name: name
