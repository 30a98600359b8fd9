"""Rows of the catalog from the files of a root: pure, over whole tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from models.domain.catalog import CatalogRow
from models.domain.duplicates import DuplicateRow, TruthClass
from tasks.publish.whereabouts import is_reserved
from warehouse.schemas.arrow import arrow_schema

if TYPE_CHECKING:
    import polars as pl

DETAILS = (
    "media",
    "content_label",
    "extension_matches",
    "captured_source",
    "captured_at",
    "captured_offset_min",
    "captured_flag",
    "width",
    "height",
    "duration_s",
    "has_text",
    "camera_make",
    "camera_model",
    "latitude",
    "longitude",
    "title",
    "artist",
    "album",
    "track",
    "genre",
    "channels",
    "sender",
    "thumbnail",
    "problem",
)
"""Facts kept as JSON in `files.metadata`; those that nobody knows are left out."""


def catalog_rows(
    files: pa.Table,
    links: pa.Table,
    *,
    previous_root_id: str,
    is_organizing: bool,
) -> pa.Table:
    """Return the files as the catalog takes them, sorted by key.

    Args:
        files: (n,) rows of `with_categories`.
        links: from `links_of` the root's groups after the job.
        previous_root_id: the root in which the catalog looks for `previous_key`.
        is_organizing: whether arrivals count as organized; an undo's do not.

    Returns:
        (n,) rows of CatalogRow.
    """
    import polars as pl

    table = pl.DataFrame(files)
    moved_here = (
        pl.col("is_arrived") & ~pl.col("is_copy") & (pl.col("origin_root_id") == previous_root_id)
    )
    reserved = pl.Series(
        "is_reserved", [is_reserved(key) for key in table["origin_key"]], dtype=pl.Boolean
    )
    rows = (
        table.with_columns(reserved, details=_details(table))
        .join(pl.DataFrame(links), on="key", how="left")
        .with_columns(
            previous_key=pl.when(moved_here & ~pl.col("is_reserved")).then("origin_key"),
            category_confidence=pl.col("confidence_ratio"),
            coarse_category=pl.col("coarse_category").fill_null("Others"),
            is_organized=pl.col("is_arrived") & is_organizing,
        )
        .sort("key")
    )
    schema = arrow_schema(CatalogRow)
    return rows.select(schema.names).to_arrow().cast(schema)


def links_of(duplicates: Iterable[DuplicateRow]) -> pa.Table:
    """Return (m,) rows of `key` and `duplicate_of_key`: who is whose duplicate in exact groups."""
    keepers = _keepers(duplicates)
    return pa.table(
        {
            "key": pa.array(list(keepers), pa.string()),
            "duplicate_of_key": pa.array(list(keepers.values()), pa.string()),
        }
    )


def _keepers(duplicates: Iterable[DuplicateRow]) -> dict[str, str]:
    """Return the keeper's key for each member of an exact group that is not the keeper."""
    groups: dict[str, list[DuplicateRow]] = {}
    for row in duplicates:
        if row.truth_class == TruthClass.FULL_HASH:
            groups.setdefault(row.group_id, []).append(row)
    found: dict[str, str] = {}
    for members in groups.values():
        keeper = next(member.key for member in members if member.is_keeper)
        found |= {member.key: keeper for member in members if member.key != keeper}
    return found


def _details(table: "pl.DataFrame") -> "pl.Series":
    """Return the known facts of each row as a JSON object.

    Nulls are cut out of the text: a quote inside a JSON string is always escaped, so `"name":null`
    is never part of a value. The first field is never null, so there is always a comma before.
    """
    import polars as pl

    nullable = "|".join(DETAILS[1:])
    return (
        table.select(pl.struct(DETAILS).struct.json_encode().alias("details"))
        .to_series()
        .str.replace_all(rf',"(?:{nullable})":null', "")
    )
