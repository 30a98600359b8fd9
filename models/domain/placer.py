"""One job's template applied to files and projects: where each belongs, and whether it is there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.domain.facts import columns_of, date_used, field_values
from models.domain.jobs import OrganizeOptions
from models.domain.placing import (
    is_in_place,
    is_project_in_place,
    namespace_of,
    place_at,
    place_of,
    project_place,
    project_values,
    root_name,
)
from models.domain.ruling import Ruled, Ruling
from models.domain.targets import Target
from models.domain.templates import Place, Template, template_of
from models.domain.units import Unit


@dataclass(frozen=True, slots=True)
class Placed:
    """Where something belongs.

    Attributes:
        place: folder, name and tail.
        is_here: whether it lies there already.
        values: the template's values; kept only where the place must be made again (counters).
        why: which of the account's rules decided, in words; None when the mode did.
        stays: whether that rule lets it stay where it is.
    """

    place: Place
    is_here: bool
    values: Mapping[str, str | None] | None = None
    why: str | None = None
    stays: bool = False


class Placer:
    """Where files of one job belong.

    Attributes:
        template: of the job's mode.
        namespace: how source and destination lie to each other.
        keeps_names: whether a file keeps its stem, up to a number and what no disk can hold.
        columns: columns of fingerprints and categories that `file` and `oldest` read.

    Raises:
        InvalidError: the mode or template cannot be used.
    """

    def __init__(
        self,
        options: OrganizeOptions,
        source_url: str,
        destination_url: str,
        target: Target | None = None,
    ) -> None:
        target = target or Target()
        self._folder_key = str if target.is_exact else target.key()
        self.template = template_of(options)
        self.namespace = namespace_of(source_url, destination_url)
        self.source_name = root_name(source_url)
        self.is_counted = "counter" in self.template.fields
        self.keeps_names = len(name := self.template.name) == 1 and name[0].field == "stem"
        self._ruling = Ruling(options.rules)
        self.columns = sorted(
            {
                *columns_of(self.template.fields),
                *columns_of(frozenset({"date"})),
                *self._ruling.columns,
            }
        )

    def file(self, row: Mapping[str, Any]) -> Placed:
        """Return where one file belongs, which stands for its companions.

        Args:
            row: the columns of `columns`.
        """
        if self._ruling.is_empty:
            return self._by_mode(row)
        ruled = self._ruling.of(row)
        if ruled.template is not None:
            return self._by_rule(ruled, ruled.template)
        placed = self._by_mode(ruled.row)
        return replace(placed, why=ruled.why, stays=ruled.stays)

    def _by_rule(self, ruled: Ruled, template: Template) -> Placed:
        values = field_values(ruled.row, template.fields)
        place = place_of(template, values)
        address = self.namespace.address(ruled.row["key"])
        is_here = address is not None and is_in_place(
            template, values, address, place, self._folder_key
        )
        return Placed(place, is_here, why=ruled.why)

    def _by_mode(self, row: Mapping[str, Any]) -> Placed:
        values = field_values(row, self.template.fields)
        place = place_of(self.template, values)
        address = self.namespace.address(row["key"])
        is_here = address is not None and is_in_place(
            self.template, values, address, place, self._folder_key
        )
        return Placed(place, is_here, values if self.is_counted else None)

    def is_here(self, row: Mapping[str, Any]) -> bool:
        """Return whether one file lies where it belongs; cheaper than `file` where it does not.

        Args:
            row: the columns of `columns`.
        """
        address = self.namespace.address(row["key"])
        if address is None:
            return False
        if self._ruling.is_empty and not self.template.is_ambiguous:
            folder = self.template.folder(field_values(row, self.template.fields))
            here = address.rpartition("/")[0]
            if folder != here and self._folder_key(folder) != self._folder_key(here):
                return False
        return self.file(row).is_here

    def project(self, unit: Unit, oldest: str | None) -> Placed:
        """Return where a project belongs.

        Args:
            unit: the project.
            oldest: from `oldest_date` of its files.
        """
        name = unit.anchor.rpartition("/")[2] or self.source_name
        values = project_values(unit.anchor, name, unit.category, oldest)
        place = project_place(self.template, values)
        if not unit.anchor:
            return Placed(place, self.namespace.is_same)
        address = self.namespace.address(unit.anchor)
        is_here = address is not None and is_project_in_place(
            self.template, values, address, place, self._folder_key
        )
        return Placed(place, is_here)

    def at(self, placed: Placed, number: int) -> Place:
        """Return the place of a counted template with another number."""
        return place_at(self.template, placed.values or {}, number)


def oldest_date(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the oldest date of files whose date is not odd, `YYYY-MM-DD`; None without any."""
    dates = (date_used(row) for row in rows)
    return min((used.date for used in dates if used.date and not used.flag), default=None)
