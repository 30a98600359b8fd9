"""How each member of a group stands before the keep rules."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pyarrow as pa

from models.domain.jobs import OrganizeOptions
from models.domain.keep import (
    LOSSLESS,
    Candidate,
    clean_folders,
    dated,
    folder_position,
    is_below,
)
from models.domain.placer import Placer, oldest_date
from models.domain.units import Unit, UnitKind, Units

_FACTS = ("camera_make", "camera_model", "latitude", "title", "artist", "album")
STANDING_COLUMNS = (
    "modified_ns",
    "width",
    "height",
    "mime",
    "extension_matches",
    "captured_at",
    "captured_source",
    *_FACTS,
)
"""Columns of fingerprints that the keep rules look at."""
CHUNK_ROWS = 50_000
"""Rows turned into Python objects at a time: about 100 MB."""


class Standings:
    """Candidates of the rows that are in some group.

    Companions that are duplicates as a whole stand together, by their leader: so the members of
    two equal pairs do not elect keepers from different pairs.
    """

    def __init__(
        self,
        files: pa.Table,
        units: Units,
        grouped: Collection[int],
        options: OrganizeOptions,
        placer: Placer,
        *,
        chosen: Collection[int] = (),
    ) -> None:
        self._files = files
        self._chosen = {self._leader_in(units, row) for row in chosen}
        self._units = units
        self._grouped = grouped
        self._placer = placer
        self._protected = clean_folders(options.protected)
        self._preferred = clean_folders(options.preferred)
        self._projects: dict[str, bool] = {}

    def is_bound(self, row: int) -> bool:
        """Return whether a row goes with files that are not duplicates."""
        unit = self._units.unit_of.get(row)
        if unit is None:
            return False
        if unit.kind is UnitKind.PROJECT:
            return True
        return not all(member in self._grouped for member in unit.members)

    def _leader(self, row: int) -> int:
        return self._leader_in(self._units, row)

    @staticmethod
    def _leader_in(units: Units, row: int) -> int:
        unit = units.unit_of.get(row)
        return row if unit is None or unit.kind is UnitKind.PROJECT else unit.leader

    def candidates(self) -> dict[int, Candidate]:
        """Return the candidate of every grouped row."""
        leaders = sorted({self._leader(row) for row in self._grouped})
        columns = sorted({*STANDING_COLUMNS, *self._placer.columns})
        made: dict[int, Callable[[str, bool], Candidate]] = {}
        for first in range(0, len(leaders), CHUNK_ROWS):
            chunk = leaders[first : first + CHUNK_ROWS]
            rows = self._files.select(columns).take(pa.array(chunk, pa.int64())).to_pylist()
            for position, row in zip(chunk, rows, strict=True):
                made[position] = self._maker(position, row)
        keys = self._files.column("key")
        return {
            row: made[self._leader(row)](
                "" if self._leader(row) == row else f"\0{keys[row].as_py()}", self.is_bound(row)
            )
            for row in self._grouped
        }

    def _maker(self, position: int, row: Mapping[str, Any]) -> Callable[[str, bool], Candidate]:
        key: str = row["key"]
        pixels = (row["width"] or 0) * (row["height"] or 0)
        capture = dated(row["captured_at"], row["captured_source"])
        facts = sum(row[name] is not None for name in _FACTS) + bool(capture)
        is_protected = any(is_below(key, folder) for folder in self._protected)
        preferred = folder_position(key, self._preferred)
        is_here = self._is_in_place(position, row)
        is_chosen = position in self._chosen

        def make(suffix: str, is_bound: bool) -> Candidate:
            return Candidate(
                key=key + suffix,
                is_protected=is_protected,
                is_in_place=is_here,
                is_bound=is_bound,
                is_chosen=is_chosen,
                preferred=preferred,
                pixels=pixels,
                is_lossless=row["mime"] in LOSSLESS,
                facts=facts + bool(row["extension_matches"]),
                dated=capture,
                modified_ns=row["modified_ns"],
            )

        return make

    def _is_in_place(self, position: int, row: Mapping[str, Any]) -> bool:
        if self._placer.namespace.is_settled(row["key"]):
            return True
        unit = self._units.unit_of.get(position)
        if unit is None or unit.kind is UnitKind.COMPANIONS:
            return self._placer.is_here(row)
        if unit.anchor not in self._projects:
            self._projects[unit.anchor] = self._is_project_in_place(unit)
        return self._projects[unit.anchor]

    def _is_project_in_place(self, unit: Unit) -> bool:
        columns = self._files.select(self._placer.columns)
        rows = columns.slice(unit.members[0], len(unit.members)).to_pylist()
        return self._placer.project(unit, oldest_date(rows)).is_here
