"""What people said of contents counts before any rule or model. Pure."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.categories import CategoryRow
from models.domain.taxonomy import Correction, Taxonomy
from tasks.categorize.core import named
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table

compute: Any = pc  # the stubs know too few of its overloads

BY_HAND = "correction"
"""Stands in `decided_by`."""


def corrected(
    categories: pa.Table,
    fingerprints: pa.Table,
    corrections: Sequence[Correction],
    taxonomy: Taxonomy,
) -> pa.Table:
    """Return categories in which what people said of a content takes the place of what was decided.

    Args:
        categories: (n,) rows of CategoryRow by the taxonomy's names, sorted by key.
        fingerprints: (n,) rows of Fingerprint of the same files, any order.
        corrections: one for each content, by ids.
        taxonomy: the names; what it no longer has corrects nothing.

    Returns:
        (n,) rows of CategoryRow, sorted by key.
    """
    usable = {
        each.sha256: each
        for each in corrections
        if taxonomy.names(each.category, each.subcategory) is not None
    }
    wanted = pa.array(sorted(usable), pa.string())
    said = fingerprints.filter(compute.is_in(fingerprints["sha256"], value_set=wanted))
    if not said.num_rows:
        return categories
    by_key = dict(zip(said["key"].to_pylist(), said["sha256"].to_pylist(), strict=True))
    keys = pa.array(sorted(str(key) for key in by_key), pa.string())
    is_said = compute.is_in(categories["key"], value_set=keys)
    rows = [
        CategoryRow(
            key=row.key,
            category=usable[str(by_key[row.key])].category,
            subcategory=usable[str(by_key[row.key])].subcategory,
            coarse_category="",
            confidence_ratio=1.0,
            reason="you said so",
            decided_by=BY_HAND,
        )
        for row in to_rows(categories.filter(is_said), CategoryRow)
    ]
    kept = categories.filter(compute.invert(is_said)).cast(arrow_schema(CategoryRow))
    both = pa.concat_tables([kept, named(to_table(rows, CategoryRow), taxonomy)])
    return both.sort_by("key").combine_chunks()
