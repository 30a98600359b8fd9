"""The two sides of a union merge: the folder that is emptied and the one that takes its files."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import OrganizeOptions
from models.domain.keep import clean_folders, is_below
from models.domain.targets import Target
from models.domain.units import UnitKind, Units
from warehouse.schemas.files import find_table_units, sorted_files, texts

_COLUMNS = ("key", "size_bytes", "modified_ns", "version", "sha256", "problem", "device", "inode")


@dataclass(frozen=True, slots=True)
class MergedFile:
    """One file of either side."""

    key: str
    size_bytes: int
    modified_ns: int
    version: str
    sha256: str | None
    problem: str | None
    device: int | None
    inode: int | None

    def is_same_body(self, other: "MergedFile") -> bool:
        """Return whether both are names of one body of bytes: a hardlink, a bind mount."""
        if self.inode is None or other.inode is None:
            return False
        return (self.device, self.inode) == (other.device, other.inode)


def check_folders(options: OrganizeOptions, target: Target) -> tuple[str, str]:
    """Return the folder to empty and the folder to fill.

    Raises:
        InvalidError: one of them is not named, they are one, or the root itself would be emptied.
    """
    giving, taking = options.merge_from, options.merge_into
    if giving is None or taking is None:
        raise InvalidError("a merge names two folders: the one to empty and the one to fill")
    if not giving:
        raise InvalidError("the root itself cannot be emptied into one of its folders")
    if target.key()(giving) == target.key()(taking):
        raise InvalidError("both folders are the same: nothing to merge")
    return giving, taking


def _is_in(key: str, folder: str) -> bool:
    return not folder or key.startswith(f"{folder}/")


class Sides:
    """Which files a merge takes from where, and what the taking side has already.

    Of nested folders the inner one belongs to itself alone: merged into the folder around it, its
    files are compared with what lies outside it; the other way round, it stays as it is.

    Attributes:
        giving, taking: the two folders; the taking one may be the root ("").
        files: by position, the files of both sides.
        units: companions and projects of the whole root, by position.
        gives: positions of the files that are to go.

    Raises:
        InvalidError: the folders make no sense, or one file of a project would be taken out of it.
        MissingError: a folder has no files.
    """

    def __init__(self, fingerprints: pa.Table, options: OrganizeOptions, target: Target) -> None:
        self.giving, self.taking = check_folders(options, target)
        table = sorted_files(fingerprints.select([*_COLUMNS]), None)
        keys = texts(table, "key")
        self.units: Units = find_table_units(table)
        is_inner = _is_in(self.taking, self.giving)  # the taking folder lies in the giving one
        self.gives: list[int] = []
        takes: list[int] = []
        for row, key in enumerate(keys):
            if _is_in(key, self.giving) and not (is_inner and _is_in(key, self.taking)):
                self.gives.append(row)
            elif _is_in(key, self.taking):
                takes.append(row)
        if not self.gives:
            raise MissingError("the folder to empty has no files; see the spelling of its name")
        if not takes:
            raise MissingError("the folder to fill has no files; see the spelling of its name")
        self.files: dict[int, MergedFile] = _files_at(table, sorted([*self.gives, *takes]))
        self._protected = clean_folders(options.protected)
        self._rows_of: defaultdict[str, list[int]] = defaultdict(list)
        for row in takes:
            sha256 = self.files[row].sha256
            if sha256 is not None:
                self._rows_of[sha256].append(row)
        self.takes = frozenset(takes)
        self.projects = tuple(
            unit.anchor for unit in self.units.units if unit.kind is UnitKind.PROJECT
        )
        if any(not root or self.giving.startswith(f"{root}/") for root in self.projects):
            raise InvalidError(
                "the folder to empty lies in a project, whose files belong together; merge the "
                "whole project, or organize it"
            )

    def address(self, key: str) -> str:
        """Return where a file of the giving side belongs on the taking side."""
        rest = key[len(self.giving) + 1 :]
        return f"{self.taking}/{rest}" if self.taking else rest

    def is_protected(self, row: int) -> bool:
        """Return whether nothing may leave the folder that a file lies in."""
        return any(is_below(self.files[row].key, folder) for folder in self._protected)

    def members(self, row: int) -> tuple[int, ...]:
        """Return the rows that go with a row, their leader first."""
        unit = self.units.unit_of.get(row)
        return (row,) if unit is None else unit.members

    def leaders(self) -> Iterator[int]:
        """Yield one row for each unit that the giving side has a part of, ascending."""
        seen: set[int] = set()
        for row in self.gives:
            leader = self.members(row)[0]
            if leader not in seen:
                seen.add(leader)
                yield leader

    def equals(self, row: int) -> list[int]:
        """Return the rows of the taking side that have a file's content, by key.

        Empty files have none: they are equal only in their own place.
        """
        file = self.files[row]
        if file.sha256 is None or not file.size_bytes:
            return []
        return self._rows_of.get(file.sha256, [])

    def is_proof(self, row: int, keeper: int | None) -> bool:
        """Return whether a row of the taking side proves that a file's content stays."""
        if keeper is None or keeper not in self.takes:
            return False
        file, kept = self.files[row], self.files[keeper]
        return (
            file.sha256 is not None and file.sha256 == kept.sha256 and not file.is_same_body(kept)
        )


def _files_at(table: pa.Table, rows: list[int]) -> dict[int, MergedFile]:
    chosen: Any = table.select([*_COLUMNS]).take(pa.array(rows, pa.int64()))
    columns = [chosen.column(name).to_pylist() for name in _COLUMNS]
    return {
        row: MergedFile(*values)
        for row, values in zip(rows, zip(*columns, strict=True), strict=True)
    }
