"""Categories of a whole table: pure, in slices so that memory stays bounded."""

from collections.abc import Sequence

import pyarrow as pa

from models.domain.categories import CategoryRow
from models.domain.errors import BrokenError
from models.domain.fingerprint import Fingerprint
from tasks.categorize.ports import Categorizer
from warehouse.schemas.arrow import to_rows, to_table

SLICE_ROWS = 20_000
"""Rows turned into objects at a time: some 40 MB."""


def categorize(fingerprints: pa.Table, categorizers: Sequence[Categorizer]) -> pa.Table:
    """Return the category of every file, sorted by key.

    Args:
        fingerprints: (n,) rows of Fingerprint, any order.
        categorizers: asked in turn; each gets the files that those before it left open.

    Returns:
        (n,) rows of CategoryRow.

    Raises:
        BrokenError: nobody decided for some file: the last one must always answer.
    """
    slices = [to_table([], CategoryRow)]
    for start in range(0, fingerprints.num_rows, SLICE_ROWS):
        files = to_rows(fingerprints.slice(start, SLICE_ROWS), Fingerprint)
        slices.append(to_table(_decided(files, categorizers), CategoryRow))
    return pa.concat_tables(slices).sort_by("key").combine_chunks()


def _decided(
    files: Sequence[Fingerprint], categorizers: Sequence[Categorizer]
) -> list[CategoryRow]:
    rows: dict[str, CategoryRow] = {}
    left = list(files)
    for categorizer in categorizers:
        answers = categorizer.categorize(left)
        rows.update((row.key, row) for row in answers if row is not None)
        left = [file for file in left if file.key not in rows]
    if left:
        raise BrokenError(f"no categorizer decided for {len(left)} files")
    return list(rows.values())
