"""What the warehouse showed of a root before a job: what is published is what differs from it."""

from dataclasses import dataclass

import pyarrow as pa

from models.domain.duplicates import DuplicateRow
from models.domain.warehouse_rows import DimFile
from tasks.publish.history import COMPARED
from warehouse.connect import connect
from warehouse.schemas.arrow import arrow_schema, to_rows
from warehouse.store.parts import Lake

PREVIOUS_CATEGORIES = """
SELECT f.root_id, f.key, f.category, f.subcategory, f.coarse_category,
    c.confidence_ratio, c.reason, c.decided_by, CAST(NULL AS VARCHAR) AS alternatives
FROM files AS f
JOIN (
    FROM fact_category
    QUALIFY row_number() OVER (PARTITION BY root_id, key ORDER BY recorded_at DESC, run_id DESC) = 1
) AS c USING (root_id, key)
WHERE f.category = c.category
"""
"""What was decided of the files there were, of all roots."""


CURRENT = "FROM dim_file WHERE root_id = $root AND is_current AND NOT is_deleted"
"""The newest version of each path, unless the file is gone."""

MEMBERS = "FROM duplicates WHERE root_id = $root ORDER BY group_id, key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """What the warehouse showed of a root before.

    Attributes:
        versions: rows of DimFile that are current, or of `key` and what is compared.
        categories: what was decided of the files there were, of all roots.
        duplicates: members of its groups.
    """

    versions: pa.Table
    categories: pa.Table
    duplicates: list[DuplicateRow]


def read_previous(
    lake: Lake, root_id: str, *, with_categories: bool = False, is_narrow: bool = False
) -> Previous:
    """Read what the warehouse shows of a root.

    Args:
        lake: where the warehouse is.
        root_id: the root.
        with_categories: whether anybody asks for the categories.
        is_narrow: of the versions only what is compared: a third of their size.
    """
    versions = arrow_schema(DimFile)
    if is_narrow:
        versions = pa.schema([versions.field(name) for name in ("key", *COMPARED)])
    decided = PREVIOUS_CATEGORIES if with_categories else f"{PREVIOUS_CATEGORIES} LIMIT 0"
    with connect(lake) as connection:

        def read(what: str, wanted: pa.Schema) -> pa.Table:
            columns = ", ".join(wanted.names)
            found = connection.execute(f"SELECT {columns} {what}", {"root": root_id})
            return found.to_arrow_table().cast(wanted)

        return Previous(
            categories=connection.execute(decided).to_arrow_table(),
            versions=read(CURRENT, versions),
            duplicates=to_rows(read(MEMBERS, arrow_schema(DuplicateRow)), DuplicateRow),
        )


def read_versions(lake: Lake, root_id: str, keys: list[str]) -> pa.Table:
    """Return the current rows of DimFile of some (n,) keys below a root, any order."""
    schema = arrow_schema(DimFile)
    columns = ", ".join(schema.names)
    named = f"{CURRENT} AND key IN (SELECT unnest($keys))"
    with connect(lake) as connection:
        found = connection.execute(f"SELECT {columns} {named}", {"root": root_id, "keys": keys})
        return found.to_arrow_table().cast(schema)
