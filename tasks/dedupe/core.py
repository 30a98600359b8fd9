"""Exact groups: by content, aware of hardlinks, with one keeper each. Pure."""

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.domain.decisions import Decisions
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job, OrganizeOptions
from models.domain.keep import Candidate, elect, steps_of
from models.domain.placer import Placer
from models.domain.targets import Target
from models.domain.units import UnitKind, Units
from tasks.dedupe.standing import STANDING_COLUMNS, Standings
from warehouse.schemas.arrow import arrow_schema
from warehouse.schemas.files import find_table_units, sorted_files

compute: Any = pc  # the stubs know too few of its overloads

GROUPING = 1
"""Raised whenever equal files would be grouped, or their keeper chosen, in another way."""


def asked_for(
    fingerprints_sha256: str,
    categories_sha256: str,
    job: Job,
    *,
    target: Target,
    decisions: Decisions,
) -> str:
    """Return the identity of what `exact_groups` is asked: equal ones have equal answers.

    Args:
        fingerprints_sha256: digest of the fingerprints' part.
        categories_sha256: digest of the categories' part.
        job: its options and roots decide about keepers.
        target: how the destination compares names.
        decisions: what people decided.
    """
    document = [
        GROUPING,
        fingerprints_sha256,
        categories_sha256,
        asdict(job.options),
        job.source_url,
        job.destination_url,
        asdict(target),
        [sorted(decisions.apart), sorted(decisions.keepers), decisions.kept_keys],
    ]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


_COLUMNS = ("key", "size_bytes", "sha256", "device", "inode", "problem")
"""Columns of fingerprints that tell equal files and hardlinks."""


def columns_needed(options: OrganizeOptions, source_url: str, destination_url: str) -> list[str]:
    """Return the columns of fingerprints that `exact_groups` looks at, sorted.

    Raises:
        InvalidError: the options' mode or template cannot be used.
    """
    placer = Placer(options, source_url, destination_url)
    facts = {field.name for field in dataclasses.fields(Fingerprint)}
    return sorted(facts.intersection({*_COLUMNS, *STANDING_COLUMNS, *placer.columns}))


def exact_groups(
    fingerprints: pa.Table,
    categories: pa.Table | None = None,
    *,
    options: OrganizeOptions | None = None,
    source_url: str = "",
    destination_url: str = "",
    target: Target | None = None,
    decisions: Decisions | None = None,
) -> pa.Table:
    """Return the groups of files that have one content hash, each with one keeper.

    Empty files are no duplicates of one another: they have no content to lose or to waste.

    Args:
        fingerprints: (n,) rows of `Fingerprint`, any order; a key given twice counts once.
        categories: (n,) rows of `CategoryRow`; tell which members are already in their place.
        options: keep rules, protected and preferred folders, the template.
        source_url: canonical URL of the root of `fingerprints`.
        destination_url: canonical URL of where the job puts files.
        target: how that place compares names.
        decisions: what people decided.

    Returns:
        (m,) rows of `DuplicateRow`; groups of two or more, sorted by group and key.

    Raises:
        InvalidError: the options' mode or template cannot be used.
    """
    options = options or OrganizeOptions()
    placer = Placer(options, source_url, destination_url, target)
    files = sorted_files(fingerprints, categories)
    del fingerprints, categories  # `files` has its own
    groups = _rows_by_content(files)
    if not groups:
        return arrow_schema(DuplicateRow).empty_table()
    units = find_table_units(files)
    grouped = {row for rows in groups.values() for row in rows}
    chosen = _chosen(files, groups, decisions or Decisions())
    standings = Standings(files, units, grouped, options, placer, chosen=chosen)
    candidates = standings.candidates()
    found = _Rows(files, sorted(grouped), standings, candidates)
    steps = steps_of(options.keep_rules)
    for sha256 in sorted(groups):
        rows = groups[sha256]
        position, reason = elect([candidates[row] for row in rows], steps)
        found.add_group(sha256, rows, rows[position], reason)
    found.keep_units_whole(units)
    return found.table()


def _rows_by_content(files: pa.Table) -> dict[str, list[int]]:
    """Return the rows of each content that more than one file has, ascending."""
    column = files.column("sha256").combine_chunks()
    encoded = column.dictionary_encode()
    codes = np.asarray(compute.fill_null(encoded.indices, -1)).astype(np.int64)
    sizes = np.asarray(files.column("size_bytes"))
    codes[sizes == 0] = -1
    counts = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    rows = np.flatnonzero(np.append(counts, 0)[codes] > 1)  # -1 is the 0 at the end
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row, code in zip(rows.tolist(), codes[rows].tolist(), strict=True):
        groups[code].append(row)
    names = encoded.dictionary
    return {names[code].as_py(): members for code, members in groups.items()}


def _chosen(
    files: pa.Table, groups: Mapping[str, Sequence[int]], decisions: Decisions
) -> frozenset[int]:
    """Return the rows that people chose to keep among files of equal bytes."""
    found: set[int] = set()
    for sha256 in decisions.kept_keys.keys() & groups.keys():
        keys = {row: files.column("key")[row].as_py() for row in groups[sha256]}
        found |= {
            row for row, key in keys.items() if decisions.is_chosen(sha256, key, keys.values())
        }
    return frozenset(found)


class _Rows:
    """Collects the rows of the answer, by column."""

    def __init__(
        self,
        files: pa.Table,
        grouped: Sequence[int],
        standings: Standings,
        candidates: Mapping[int, Candidate],
    ) -> None:
        columns = ["key", "size_bytes", "device", "inode", "problem"]
        taken = files.select(columns).take(pa.array(grouped, pa.int64()))
        self._at = {row: position for position, row in enumerate(grouped)}
        self._columns = {name: taken.column(name).to_pylist() for name in columns}
        self._standings = standings
        self._candidates = candidates
        self._values: dict[str, list[Any]] = {name: [] for name in arrow_schema(DuplicateRow).names}
        self._index: dict[int, int] = {}

    def _of(self, row: int, column: str) -> Any:
        return self._columns[column][self._at[row]]

    def _inode(self, row: int) -> tuple[Any, ...]:
        """Return what tells one body of bytes from another; each row is its own without inodes."""
        device, inode = self._of(row, "device"), self._of(row, "inode")
        return (row,) if device is None or inode is None else (device, inode)

    def add_group(self, sha256: str, rows: Sequence[int], keeper: int, reason: str) -> None:
        """Add one group, its members ascending."""
        bodies = {row: self._inode(row) for row in rows}
        names = defaultdict[tuple[Any, ...], int](int)
        for body in bodies.values():
            names[body] += 1
        seen = {bodies[keeper]}
        for row in rows:
            is_keeper = row == keeper
            is_hardlink = not is_keeper and bodies[row] in seen
            seen.add(bodies[row])
            size: int = self._of(row, "size_bytes")
            is_removable = not (
                is_keeper
                or names[bodies[row]] > 1  # one name less frees nothing; all of them never go
                or self._candidates[row].is_protected
                or self._of(row, "problem") is not None
                or self._standings.is_bound(row)
            )
            self._index[row] = len(self._index)
            values = (
                sha256,
                self._of(row, "key"),
                is_keeper,
                TruthClass.FULL_HASH.value,
                1.0,
                size,
                is_hardlink,
                0 if is_keeper or is_hardlink else size,
                reason,
                is_removable,
            )
            for column, value in zip(self._values.values(), values, strict=True):
                column.append(value)

    def keep_units_whole(self, units: Units) -> None:
        """Make companions removable all together or not at all."""
        removable = self._values["is_removable"]
        for unit in units.units:
            if unit.kind is UnitKind.COMPANIONS:
                members = [self._index[row] for row in unit.members if row in self._index]
                if not all(removable[member] for member in members):
                    for member in members:
                        removable[member] = False

    def table(self) -> pa.Table:
        """Return the rows."""
        schema = arrow_schema(DuplicateRow)
        arrays = [pa.array(self._values[field.name], field.type) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)
