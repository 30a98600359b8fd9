"""Icons and colors of folders: what `apply_icons` gives them, by category."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.domain.categories import COARSE, TAXONOMY

COLORS: dict[str, tuple[str, str]] = {
    "Images": ("image", "#2f9e44"),
    "Videos": ("film", "#9c36b5"),
    "Audio": ("music", "#e8590c"),
    "Documents": ("file-text", "#1971c2"),
    "Others": ("folder", "#868e96"),
}
"""Name of an icon and color by coarse category; the names are those of common icon sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStyle:
    """How one folder is shown."""

    folder: str
    icon: str
    color: str


def styles_of(folders: Iterable[str]) -> list[FolderStyle]:
    """Return the styles of folders that are called like a category, sorted; others have none."""
    found: list[FolderStyle] = []
    for folder in sorted(set(folders)):
        name = folder.rpartition("/")[2]
        if name in TAXONOMY or name in COLORS:
            icon, color = COLORS[name if name in COLORS else COARSE.get(name, "Others")]
            found.append(FolderStyle(folder=folder, icon=icon, color=color))
    return found
