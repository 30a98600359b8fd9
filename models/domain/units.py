"""What moves, is copied and goes to the trash as one: companions and projects."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from models.domain.companions import find_clusters, split_extension


class UnitKind(StrEnum):
    """Why files belong together."""

    COMPANIONS = "companions"
    PROJECT = "project"


PROJECT_FOLDERS = frozenset({".git", ".hg", ".svn", ".bzr"})
"""Folders that make the folder they are in a project."""

PROJECT_FILES = frozenset(
    {"package.json", "pyproject.toml", "cargo.toml", "go.mod", "pom.xml", "build.gradle"}
)
"""Files that make the folder they are in a project; compared without regard to case."""

PROJECT_SUFFIXES = (".lrcat", ".xcodeproj", ".xcworkspace")
"""Endings of a file or folder that makes the folder it is in a project."""

BUNDLE_SUFFIXES = (
    ".app",
    ".photoslibrary",
    ".photolibrary",
    ".aplibrary",
    ".fcpbundle",
    ".logicx",
    ".imovielibrary",
)
"""Endings of folders that are one document to the program that made them (macOS packages)."""

_BUNDLE_CATEGORIES = {
    ".app": ("Software", "Apps"),
    ".fcpbundle": ("Videos", "Personal"),
    ".imovielibrary": ("Videos", "Personal"),
    ".logicx": ("Audio", "Music"),
}
_CODE = ("Code", "Repositories")
_PHOTOS = ("Photos", "")

_MARKER = re.compile(
    r"(?:\A|/)(?:"
    + "|".join(
        [
            *(rf"{re.escape(name)}/" for name in sorted(PROJECT_FOLDERS)),
            *(rf"{re.escape(name)}\Z" for name in sorted(PROJECT_FILES)),
            *(rf"[^/]*{re.escape(end)}(?:/|\Z)" for end in PROJECT_SUFFIXES),
        ]
    )
    + ")",
    re.IGNORECASE,
)
_BUNDLE = re.compile(
    r"(?:\A|/)[^/]+(?:" + "|".join(re.escape(end) for end in BUNDLE_SUFFIXES) + ")/", re.IGNORECASE
)
MARKER_PATTERN = f"(?i)(?:{_MARKER.pattern}|{_BUNDLE.pattern})".replace(r"\A", "^").replace(
    r"\Z", "$"
)
"""The same for RE2 (Arrow): which keys are worth a look."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Files that go together.

    Attributes:
        kind: companions or a project.
        anchor: what their paths begin with: `folder/stem`, or the project's folder ("" for root).
        members: positions in the keys; companions: the leader first; a project: ascending.
        category: of a project: category and sub-category, from what marks it.
    """

    kind: UnitKind
    anchor: str
    members: tuple[int, ...]
    category: tuple[str, str] = ("", "")

    @property
    def leader(self) -> int:
        """Position of the member whose facts decide where all of them go."""
        return self.members[0]

    def remainder(self, key: str) -> str:
        """Return what follows the anchor in a member's path: `.CR2.xmp`, or `/src/main.py`."""
        if self.kind is UnitKind.PROJECT and not self.anchor:
            return f"/{key}"
        if key.startswith(self.anchor):
            return key[len(self.anchor) :]
        # The Takeout sidecar of IMG(1).jpg is IMG.jpg(1).json.
        name, extension = split_extension(key.rpartition("/")[2])
        own = split_extension(re.sub(r"\(\d+\)\Z", "", name))[1]
        return f".{own}.{extension}" if own else f".{extension}"


@dataclass(slots=True)
class Units:
    """The units of two or more files among some keys; every other file is on its own.

    Attributes:
        units: by leader.
        unit_of: position to the unit it is in.
    """

    units: list[Unit] = field(default_factory=list)
    unit_of: dict[int, Unit] = field(default_factory=dict)

    def is_in_project(self, row: int) -> bool:
        """Return whether a file is part of a project."""
        unit = self.unit_of.get(row)
        return unit is not None and unit.kind is UnitKind.PROJECT


def project_root(key: str) -> tuple[str, tuple[str, str]] | None:
    """Return the outermost folder that a key shows to be a project ("" for the root).

    Returns:
        The folder and the project's category and sub-category; None when the key shows none.
    """
    marker, bundle = _MARKER.search(key), _BUNDLE.search(key)
    roots: list[tuple[str, tuple[str, str]]] = []
    if marker:
        is_catalog = ".lrcat" in marker[0].lower()
        roots.append((key[: marker.start()], _PHOTOS if is_catalog else _CODE))
    if bundle:
        root = key[: bundle.end() - 1]
        ending = root[root.rindex(".") :].lower()
        roots.append((root, _BUNDLE_CATEGORIES.get(ending, _PHOTOS)))
    return min(roots, key=lambda found: len(found[0])) if roots else None


def find_projects(keys: Sequence[str], rows: Iterable[int] | None = None) -> list[Unit]:
    """Return the projects among sorted keys; of nested ones the outermost.

    Args:
        keys: (n,) paths sorted by code point.
        rows: positions that may hold a marker, ascending; all by default.
    """
    roots: dict[str, tuple[str, str]] = {}
    for row in range(len(keys)) if rows is None else rows:
        found = project_root(keys[row])
        if found is not None:
            roots.setdefault(*found)
    if "" in roots:
        return [Unit(UnitKind.PROJECT, "", tuple(range(len(keys))), roots[""])]
    projects: list[Unit] = []
    for root in sorted(roots, key=lambda root: root + "/"):
        if projects and root.startswith(projects[-1].anchor + "/"):
            continue
        first = bisect_left(keys, root + "/")
        last = bisect_left(keys, root + "0", lo=first)  # "0" follows "/" in code points
        projects.append(Unit(UnitKind.PROJECT, root, tuple(range(first, last)), roots[root]))
    return projects


def find_units(keys: Sequence[str], rows: Iterable[int] | None = None) -> Units:
    """Return projects and, outside them, companions.

    Args:
        keys: (n,) paths sorted by code point, unique.
        rows: positions that may hold a project's marker, ascending; all by default.
    """
    found = Units()
    for project in find_projects(keys, rows):
        found.units.append(project)
        found.unit_of.update(dict.fromkeys(project.members, project))
    outside = (row for row in range(len(keys)) if row not in found.unit_of)
    for cluster in find_clusters(keys, outside):
        unit = Unit(UnitKind.COMPANIONS, cluster.anchor, cluster.members)
        found.units.append(unit)
        found.unit_of.update(dict.fromkeys(unit.members, unit))
    found.units.sort(key=lambda unit: unit.leader)
    return found
