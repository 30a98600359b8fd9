"""What a plan is made from: the files, where each belongs, what is at the destination."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.domain.duplicates import TruthClass
from models.domain.jobs import OrganizeOptions
from models.domain.keep import clean_folders, is_below
from models.domain.placer import Placed, Placer, oldest_date
from models.domain.targets import Target
from models.domain.units import Unit, UnitKind, Units, find_units
from warehouse.schemas.files import find_table_units, sorted_files, texts

compute: Any = pc  # the stubs know too few of its overloads

FILE_COLUMNS = frozenset(
    {
        *("key", "size_bytes", "modified_ns", "version", "sha256", "problem"),
        *("device", "inode", "link_count"),
    }
)
"""Columns of fingerprints that every plan needs."""

CHUNK_ROWS = 20_000
"""Rows turned into Python objects at a time: about 40 MB."""


@dataclass(slots=True)
class Duplicates:
    """Full-hash groups as far as they can be proven from the fingerprints themselves.

    Attributes:
        keeper_of: each member that is no keeper, to its keeper.
        keepers: rows that are keepers.
        removable: rows that a rule may remove.
    """

    keeper_of: dict[int, int] = field(default_factory=dict)
    keepers: set[int] = field(default_factory=set)
    removable: set[int] = field(default_factory=set)


class Files:
    """The source's files, sorted by key; a row's position is its identity in a plan.

    Attributes:
        table: fingerprints with categories.
        keys, sizes, modified: columns of it.
        units: companions and projects.
        protected: whether each row lies in a protected folder.
    """

    def __init__(
        self,
        fingerprints: pa.Table,
        categories: pa.Table | None,
        options: OrganizeOptions,
        columns: Iterable[str],
    ) -> None:
        wanted = FILE_COLUMNS.union(columns).intersection(fingerprints.column_names)
        self.table = sorted_files(fingerprints.select(sorted(wanted)), categories)
        self.keys = texts(self.table, "key")
        self.sizes = np.asarray(self.table.column("size_bytes"))
        self.modified = np.asarray(self.table.column("modified_ns"))
        self._sha256 = self.table.column("sha256").combine_chunks()
        self.unreadable = np.asarray(compute.is_null(self._sha256))
        self.units: Units = find_table_units(self.table)
        self._protected = clean_folders(options.protected)

    def __len__(self) -> int:
        return len(self.keys)

    def sha256(self, row: int) -> str | None:
        """Return the content of a row; None when it could not be read."""
        return self._sha256[row].as_py()

    def is_protected(self, row: int) -> bool:
        """Return whether a row lies in a folder from which nothing goes."""
        return any(is_below(self.keys[row], folder) for folder in self._protected)

    def members(self, leader: int) -> tuple[int, ...]:
        """Return the rows that go with a leader, itself first."""
        unit = self.units.unit_of.get(leader)
        return (leader,) if unit is None else unit.members

    def leaders(self) -> Iterator[int]:
        """Yield the first row of every unit, ascending; most files are a unit of one."""
        unit_of = self.units.unit_of
        for row in range(len(self.keys)):
            unit = unit_of.get(row)
            if unit is None or unit.leader == row:
                yield row

    def aliases(self) -> set[int]:
        """Return rows that are an earlier row under another path: more paths than names.

        A bind mount or a loop shows one file twice; a hardlink has a name for each path.
        """
        inodes = self.table.column("inode")
        if inodes.null_count == self.table.num_rows:
            return set()
        pairs = np.stack(
            [
                np.asarray(compute.fill_null(self.table.column(name), -1))
                for name in ("device", "inode")
            ]
        )
        _, inverse, counts = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
        inverse = inverse.reshape(-1)
        links = np.asarray(self.table.column("link_count"))
        suspects = np.flatnonzero((counts[inverse] > links) & (pairs[1] >= 0))
        seen: set[int] = set()
        extra: set[int] = set()
        for row in suspects.tolist():
            body = int(inverse[row])
            if body in seen:
                extra.add(row)
            seen.add(body)
        return extra

    def placed(self, placer: Placer) -> Iterator[tuple[int, Placed]]:
        """Yield every unit's leader with where the unit belongs."""
        columns = self.table.select(placer.columns)
        for first in range(0, len(self.keys), CHUNK_ROWS):
            rows: list[dict[str, Any]] = columns.slice(first, CHUNK_ROWS).to_pylist()
            for row, values in enumerate(rows, start=first):
                unit = self.units.unit_of.get(row)
                if unit is None or (unit.leader == row and unit.kind is UnitKind.COMPANIONS):
                    yield row, placer.file(values)
                elif unit.leader == row:
                    yield row, self._placed_project(columns, unit, placer)

    def _placed_project(self, columns: pa.Table, unit: Unit, placer: Placer) -> Placed:
        rows = columns.slice(unit.members[0], len(unit.members)).to_pylist()
        return placer.project(unit, oldest_date(rows))

    def duplicates(self, table: pa.Table) -> Duplicates:
        """Return what the groups say, without what contradicts the fingerprints.

        A group without its keeper among the files, or whose members' content is not the keeper's,
        removes nothing.

        Args:
            table: (m,) rows of `DuplicateRow`.
        """
        found = Duplicates()
        if not table.num_rows:
            return found
        keys = self.table.column("key").combine_chunks()
        at = compute.index_in(table.column("key"), value_set=keys).to_pylist()
        names = ("group_id", "is_keeper", "is_removable", "truth_class")
        columns = [table.column(name).to_pylist() for name in names]
        members = list(zip(at, *columns, strict=True))
        keeper_of_group = {
            group: row
            for row, group, is_keeper, _, truth in members
            if is_keeper and row is not None and truth == TruthClass.FULL_HASH
        }
        found.keepers = set(keeper_of_group.values())
        for row, group, is_keeper, is_removable, _ in members:
            keeper = keeper_of_group.get(group)
            if is_keeper or row is None or keeper is None or row in found.keepers:
                continue
            if self.sha256(row) is not None and self.sha256(row) == self.sha256(keeper):
                found.keeper_of[row] = keeper
                if is_removable:
                    found.removable.add(row)
        return found


class Existing:
    """Files at the destination that are not the source's.

    Attributes:
        keys: (k,) sorted.
        bound: positions that belong with others and never give way alone.
        projects: folders of projects.
    """

    def __init__(self, table: pa.Table | None, files: Files, placer: Placer) -> None:
        self.keys: list[str] = []
        self.bound: set[int] = set()
        self.projects: tuple[str, ...] = ()
        self._table = pa.table({})
        if table is None or placer.namespace.is_same or not table.num_rows:
            return
        table = table.take(compute.sort_indices(table.column("key"))).combine_chunks()
        own = {placer.namespace.address(key) for key in files.keys} - {None}
        if own:
            is_own = compute.is_in(
                table.column("key"), value_set=pa.array(sorted(own), pa.string())
            )
            table = table.filter(compute.invert(is_own)).combine_chunks()
        self._table = table
        self.keys = texts(table, "key")
        units = find_units(self.keys)
        self.bound = set(units.unit_of)
        projects = (unit for unit in units.units if unit.kind is UnitKind.PROJECT)
        self.projects = tuple(unit.anchor for unit in projects if unit.anchor)

    def value(self, position: int, column: str) -> Any:
        """Return one value; `sha256` is None where the content is not known."""
        if column not in self._table.column_names:
            return None
        return self._table.column(column)[position].as_py()

    def contents(self) -> Iterator[tuple[int, str]]:
        """Yield positions and contents of the files that are not empty and known."""
        if "sha256" not in self._table.column_names:
            return
        shas = self._table.column("sha256").to_pylist()
        for position, sha256 in enumerate(shas):
            if sha256 is not None:
                yield position, sha256


@dataclass(slots=True)
class Intake:
    """Everything a plan is made from.

    Attributes:
        target: how the destination compares names and what it can hold.
        blocked: names at the destination that are no files (links, sockets): never given way.
        folded: rows whose sub-folder a budget folds into its parent, and what to say of it.
    """

    files: Files
    duplicates: Duplicates
    existing: Existing
    options: OrganizeOptions
    placer: Placer
    target: Target
    blocked: tuple[str, ...] = ()
    folded: Mapping[int, str] = field(default_factory=dict[int, str])
