"""A budget of sub-folders: the smallest fold into their category's folder, and the plan says so."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.taxonomy import folded_subcategories
from tasks.plan.intake import Files

compute: Any = pc  # the stubs know too few of its overloads


def fold_subfolders(files: Files, budget: int) -> dict[int, str]:
    """Empty the sub-category of files whose sub-folder the budget has no room for.

    Args:
        files: the source; its column `subcategory` gets `""` where a sub-folder folds.
        budget: sub-folders of one category at most.

    Returns:
        By row: what the plan says of it.
    """
    categories = files.table.column("category").to_pylist()
    subcategories = files.table.column("subcategory").to_pylist()
    leaders = list(files.leaders())
    counts = Counter[tuple[str, str]](
        (str(categories[row]), subcategories[row] or "") for row in leaders
    )
    folds = folded_subcategories(counts, budget)
    if not folds:
        return {}
    said = {
        (category, subcategory): (
            f"{subcategory or 'without sub-category'} ({count:,}) folds into {category}: "
            f"at most {budget} sub-folders"
        )
        for (category, subcategory), count in folds.items()
    }
    found = {
        row: said[str(category), subcategory or ""]
        for row, (category, subcategory) in enumerate(zip(categories, subcategories, strict=True))
        if (category, subcategory or "") in said
    }
    emptied = pa.array(
        ["" if row in found else value for row, value in enumerate(subcategories)], pa.string()
    )
    at = files.table.schema.get_field_index("subcategory")
    files.table = files.table.set_column(at, "subcategory", emptied)
    return found
