"""What decides a category; rules today, learned models behind the same port later."""

from collections.abc import Sequence
from typing import Protocol

from models.domain.categories import CategoryRow
from models.domain.fingerprint import Fingerprint


class Categorizer(Protocol):
    """Decides for some files, and leaves the others to whoever is asked next."""

    def categorize(self, files: Sequence[Fingerprint]) -> list[CategoryRow | None]:
        """Return a row for each file, in their order; None where this one cannot say."""
        ...
