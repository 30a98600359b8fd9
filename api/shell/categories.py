"""Which categories somebody may choose: the coarse five, and the first level of the taxonomy."""

from functools import lru_cache
from pathlib import Path

import yaml

from models.domain.categories import TAXONOMY
from models.domain.errors import InvalidError
from models.domain.taxonomy import COARSE_NAMES
from models.domain.taxonomy_document import taxonomy_from
from models.settings import Settings


def category_names(settings: Settings) -> tuple[str, ...]:
    """Return the names that may be chosen.

    Raises:
        InvalidError: the operator's own taxonomy cannot be used.
    """
    path = settings.taxonomy_file or settings.home_path / "taxonomy.yaml"
    try:
        changed_ns = path.stat().st_mtime_ns
    except FileNotFoundError:
        return tuple(dict.fromkeys([*COARSE_NAMES, *TAXONOMY]))
    return _names(path, changed_ns)


@lru_cache(maxsize=4)
def _names(path: Path, changed_ns: int) -> tuple[str, ...]:
    del changed_ns  # part of the key: a file that was edited is read again
    own = taxonomy_from(yaml.safe_load(path.read_text(encoding="utf-8")))
    return tuple(dict.fromkeys([*COARSE_NAMES, *(each.name for each in own.all_categories)]))


def require_category(settings: Settings, name: str) -> str:
    """Return a category that may be chosen.

    Raises:
        InvalidError: it is not known; the text says which there are.
    """
    names = category_names(settings)
    if name not in names:
        raise InvalidError(f"there is no such category; there are: {', '.join(names)}")
    return name
