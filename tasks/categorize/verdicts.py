"""What a rule says of a file, before it is a row."""

import re
from dataclasses import dataclass

from models.domain.categories import TAXONOMY, CategoryRow, coarse_category
from models.domain.fingerprint import Fingerprint

CERTAIN = 0.98
"""The content's own facts leave no other reading."""
LIKELY = 0.9
"""The type is used for little else."""
PROBABLE = 0.7
"""A name or a size says so; names lie."""
LEANING = 0.6
"""The first level is better than none; the second would be a guess."""
OPEN = 0.0
"""Nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A category, how sure, and why."""

    category: str
    subcategory: str | None = None
    confidence: float
    reason: str

    def row(self, file: Fingerprint, decided_by: str) -> CategoryRow:
        """Return the verdict as the row of a file.

        Raises:
            KeyError: the category is not in the taxonomy.
            ValueError: nor the sub-category.
        """
        if self.subcategory is not None and self.subcategory not in TAXONOMY[self.category]:
            raise ValueError(f"{self.category} has no {self.subcategory}")
        return CategoryRow(
            key=file.key,
            category=self.category,
            subcategory=self.subcategory,
            coarse_category=coarse_category(self.category),
            confidence_ratio=self.confidence,
            reason=self.reason,
            decided_by=decided_by,
        )


def name_of(file: Fingerprint) -> str:
    """Return the last part of the key, lower case."""
    return file.key.rsplit("/", 1)[-1].lower()


def extension_of(file: Fingerprint) -> str:
    """Return the extension, lower case and without its dot; "" when there is none."""
    _, dot, extension = name_of(file).rpartition(".")
    return extension if dot else ""


def words_of(file: Fingerprint) -> str:
    """Return the name without its extension, as words between single spaces, lower case."""
    return words_of_key(file.key)


def words_of_key(key: str) -> str:
    """Return the last part of a key without its extension, as `words_of`."""
    stem = key.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    return " ".join(re.sub(r"[\W_]+", " ", parted).lower().split())
