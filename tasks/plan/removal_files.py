"""The files of duplicate groups and what goes with them, as a removal needs to know them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.jobs import OrganizeOptions
from models.domain.keep import clean_folders, is_below
from models.domain.near import NearMedia
from models.domain.units import UnitKind
from warehouse.schemas.files import find_table_units, sorted_files, texts

compute: Any = pc  # the stubs know too few of its overloads

_COLUMNS = (
    *("key", "size_bytes", "modified_ns", "version", "sha256"),
    *("device", "inode", "media", "problem"),
)

_KINDS = {NearMedia.DOCUMENT.value: ("document", "spreadsheet", "presentation", "email")}
"""What is compared as a document is of several coarse kinds."""


@dataclass(frozen=True, slots=True)
class GroupedFile:
    """One file that is in a group, or goes with one that is."""

    key: str
    size_bytes: int
    modified_ns: int
    version: str
    sha256: str | None
    media: str
    problem: str | None
    body: tuple[int, int] | None
    is_protected: bool


class GroupedFiles:
    """Files of the chosen groups, with their companions and all other files of their contents.

    A file's position among all files, sorted by key, is its row.

    Args:
        fingerprints: (n,) rows of `Fingerprint`, any order.
        duplicates: (m,) rows of `DuplicateRow`: all groups of equal bytes.
        keys: of the members of the chosen groups.
        options: `protected`.
    """

    def __init__(
        self,
        fingerprints: pa.Table,
        duplicates: pa.Table,
        keys: Collection[str],
        options: OrganizeOptions,
    ) -> None:
        table = sorted_files(fingerprints.select(_COLUMNS))
        self._units = find_table_units(table)
        self._protected = clean_folders(options.protected)
        wanted = pa.array(sorted(keys), pa.string())
        of_groups = compute.is_in(table.column("key"), value_set=wanted)
        shas = compute.unique(table.column("sha256").filter(of_groups)).drop_null()
        alike = compute.is_in(table.column("sha256"), value_set=shas)
        rows: set[int] = set(compute.indices_nonzero(alike).to_pylist())
        rows.update(compute.indices_nonzero(of_groups).to_pylist())
        equal_keys = duplicates.column("key")
        in_groups = set(texts(duplicates, "key")) if equal_keys.length() else set[str]()
        for row in list(rows):
            rows.update(self.members(row))
        ordered = sorted(rows)
        taken = table.take(pa.array(ordered, pa.int64())).to_pylist()
        self._files = {row: self._file(facts) for row, facts in zip(ordered, taken, strict=True)}
        self.row_of = {file.key: row for row, file in self._files.items()}
        self._holding: defaultdict[str, list[int]] = defaultdict(list)
        for row, file in self._files.items():
            # Empty files are no duplicates of one another, and a content has one file or a group.
            is_member = file.key in in_groups or file.key in keys
            if file.sha256 is not None and file.size_bytes and is_member:
                self._holding[file.sha256].append(row)
        self._names = Counter(file.body for file in self._files.values() if file.body is not None)

    def _file(self, facts: dict[str, Any]) -> GroupedFile:
        device, inode = facts.pop("device"), facts.pop("inode")
        body = None if device is None or inode is None else (device, inode)
        is_protected = any(is_below(facts["key"], folder) for folder in self._protected)
        return GroupedFile(
            **{name: facts[name] for name in _COLUMNS if name in facts},
            body=body,
            is_protected=is_protected,
        )

    def __getitem__(self, row: int) -> GroupedFile:
        return self._files[row]

    def holding(self, sha256: str) -> Sequence[int]:
        """Return the rows of all files that hold a content, ascending."""
        return self._holding[sha256]

    def members(self, row: int) -> tuple[int, ...]:
        """Return the rows that go with a row, the leader first; of a project only itself."""
        unit = self._units.unit_of.get(row)
        return (row,) if unit is None or unit.kind is UnitKind.PROJECT else unit.members

    def is_in_project(self, row: int) -> bool:
        """Return whether a row is part of a project."""
        unit = self._units.unit_of.get(row)
        return unit is not None and unit.kind is UnitKind.PROJECT

    def has_names(self, row: int) -> bool:
        """Return whether the bytes of a row have several names."""
        body = self._files[row].body
        return body is not None and self._names[body] > 1

    def is_of(self, key: str, media: Sequence[str]) -> bool:
        """Return whether a file is of some media; of any when none is named."""
        row = self.row_of.get(key)
        kinds = {kind for name in media for kind in _KINDS.get(name, (name,))}
        return not media or (row is not None and self._files[row].media in kinds)
