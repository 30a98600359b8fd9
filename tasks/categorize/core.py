"""Categories of a whole table: pure, in slices so that memory stays bounded."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.categories import CategoryRow
from models.domain.errors import BrokenError
from models.domain.fingerprint import Fingerprint, Media
from models.domain.taxonomy import REVIEW, Taxonomy
from tasks.categorize.ports import Categorizer
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table

compute: Any = pc  # the stubs know too few of its overloads

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


def named(decided: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return categories by the names that a taxonomy has for them.

    Args:
        decided: (n,) rows of CategoryRow that name categories by their ids.
        taxonomy: theirs; what it no longer has goes to its review.

    Returns:
        (n,) rows of CategoryRow in the same order.
    """
    pairs = compute.binary_join_element_wise(
        decided["category"], decided["subcategory"], "/", null_handling="replace"
    )
    encoded = pairs.combine_chunks().dictionary_encode()
    answers = [_answer(pair, taxonomy) for pair in encoded.dictionary.to_pylist()]
    schema = arrow_schema(CategoryRow)
    for at, name in enumerate(("category", "subcategory", "coarse_category")):
        values = pa.array([answer[at] for answer in answers], pa.string())
        decided = _replaced(decided, name, values.take(encoded.indices))
    lost = pa.array([answer[3] for answer in answers], pa.bool_()).take(encoded.indices)
    if compute.any(lost).as_py():
        words = compute.binary_join_element_wise(
            decided["reason"], "the taxonomy no longer has its category", "; "
        )
        reason = compute.if_else(lost, words, decided["reason"])
        confidence = compute.if_else(lost, 0.0, decided["confidence_ratio"])
        decided = _replaced(decided, "reason", reason)
        decided = _replaced(decided, "confidence_ratio", confidence)
    return decided.cast(schema)


def _answer(pair: str, taxonomy: Taxonomy) -> tuple[str, str | None, str, bool]:
    """Return names, coarse name, and whether it is no more; `pair` is `id/id` or `id/`."""
    category, _, subcategory = pair.partition("/")
    found = taxonomy.names(category, subcategory or None)
    name, below, coarse = (
        found or taxonomy.names(REVIEW.identity, "Unknown") or (REVIEW.name, None, "Others")
    )
    return name, below, coarse, found is None


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


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


SCANS = "Scans"
"""Id of the category of scans that nobody could read."""
OPEN_BELOW = 0.7
"""Confidence of a rule from which no model is asked: what a name in plain words says is kept."""


def open_pictures(fingerprints: pa.Table, categories: pa.Table | None) -> pa.Table:
    """Return the pictures whose category or sub-category is open and that have a thumbnail.

    Args:
        fingerprints: (n,) rows of Fingerprint.
        categories: (n,) rows of CategoryRow of the same files; None for all pictures there are.

    Returns:
        (m,) rows of `sha256` and `thumbnail`, each content once, sorted by content.
    """
    keep = compute.and_(
        compute.equal(fingerprints["media"], Media.IMAGE.value),
        compute.and_(
            compute.is_valid(fingerprints["sha256"]),
            compute.is_valid(fingerprints["thumbnail"]),
        ),
    )
    if categories is not None:
        is_open = compute.or_(
            compute.less(categories["confidence_ratio"], OPEN_BELOW),
            compute.is_null(categories["subcategory"]),
        )
        keys = categories.filter(is_open)["key"].combine_chunks().cast(pa.string())
        keep = compute.and_(keep, compute.is_in(fingerprints["key"], value_set=keys))
    chosen = fingerprints.filter(keep).select(["sha256", "thumbnail"])
    return (
        chosen.group_by("sha256")
        .aggregate([("thumbnail", "min")])
        .rename_columns(["sha256", "thumbnail"])
        .sort_by("sha256")
        .combine_chunks()
    )


def best_guesses(guesses: pa.Table) -> pa.Table:
    """Return one guess for each content, of those that several models made.

    A model that decides counts before one that abstains, and the text of a scan before its looks:
    guesses come with texts first.

    Args:
        guesses: (n,) rows of ContentGuess.

    Returns:
        (m,) rows of ContentGuess, sorted by content.
    """
    place = pa.array(range(guesses.num_rows), pa.int64())
    abstains = compute.equal(guesses["category"], REVIEW.identity)
    ordered = guesses.append_column("abstains", abstains).append_column("place", place)
    ordered = ordered.sort_by(
        [("sha256", "ascending"), ("abstains", "ascending"), ("place", "ascending")]
    ).combine_chunks()
    if ordered.num_rows > 1:
        hashes = ordered["sha256"].combine_chunks()
        is_first = compute.not_equal(hashes.slice(1), hashes.slice(0, len(hashes) - 1))
        ordered = ordered.filter(pa.chunked_array([pa.array([True]), is_first]))
    return ordered.select(guesses.column_names).combine_chunks()


def settled(
    categories: pa.Table, fingerprints: pa.Table, guesses: pa.Table, taxonomy: Taxonomy
) -> pa.Table:
    """Return categories in which models have decided what rules left open.

    A model's abstention takes the place of a rule's: its reason and its alternatives say more.
    Where a rule is sure of a category and a model agrees, its sub-category is added. That a file is
    a scan says how it was made; what its text or its looks say of its subject counts more.

    Args:
        categories: (n,) rows of CategoryRow by the taxonomy's names, sorted by key.
        fingerprints: (n,) rows of Fingerprint of the same files, any order.
        guesses: (m,) rows of ContentGuess, by ids, each content once.
        taxonomy: the names.

    Returns:
        (n,) rows of CategoryRow in the same order.
    """
    if "alternatives" not in categories.column_names:  # a part of before models were asked
        nulls = pa.nulls(categories.num_rows, pa.string())
        categories = categories.append_column("alternatives", nulls)
    at = compute.index_in(
        categories["key"], value_set=fingerprints["key"].combine_chunks().cast(pa.string())
    )
    hashes = fingerprints["sha256"].take(at)
    guessed = compute.index_in(hashes, value_set=guesses["sha256"].combine_chunks())
    scans = taxonomy.names(SCANS, None)
    is_open = compute.or_(
        compute.less(categories["confidence_ratio"], OPEN_BELOW),
        compute.equal(categories["category"], scans[0] if scans else ""),
    )
    guessed = compute.if_else(is_open, guessed, None)
    is_guessed = compute.is_valid(guessed)
    answers = guesses.take(guessed.drop_null())
    columns: dict[str, Any] = {name: answers[name] for name in answers.column_names}
    columns["key"] = categories.filter(is_guessed)["key"]
    columns["coarse_category"] = pa.array([""] * answers.num_rows, pa.string())
    schema = arrow_schema(CategoryRow)
    ids = pa.Table.from_arrays([columns[name] for name in schema.names], names=schema.names)
    named_answers = named(ids, taxonomy)
    kept = _refined(categories, hashes, guesses, taxonomy).filter(compute.invert(is_guessed))
    both = pa.concat_tables([kept.cast(arrow_schema(CategoryRow)), named_answers])
    return both.sort_by("key").combine_chunks()


def _refined(categories: pa.Table, hashes: Any, guesses: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return categories with the sub-categories of models that agree with a rule on the first."""
    at = compute.index_in(hashes, value_set=guesses["sha256"].combine_chunks())
    pairs = compute.binary_join_element_wise(
        guesses["category"], guesses["subcategory"], "/", null_handling="replace"
    )
    answers = [_answer(str(pair), taxonomy) for pair in pairs.to_pylist()]
    category = pa.array([answer[0] for answer in answers], pa.string()).take(at.combine_chunks())
    below = pa.array([answer[1] for answer in answers], pa.string()).take(at.combine_chunks())
    is_agreed = compute.and_(
        compute.equal(category, categories["category"].combine_chunks()),
        compute.and_(
            compute.is_valid(below), compute.is_null(categories["subcategory"].combine_chunks())
        ),
    )
    is_agreed = compute.fill_null(is_agreed, False)  # noqa: FBT003 - Arrow's own name for it
    words = compute.binary_join_element_wise(
        categories["reason"].combine_chunks(),
        guesses["reason"].combine_chunks().take(at.combine_chunks()),
        "; ",
    )
    models = compute.binary_join_element_wise(
        categories["decided_by"].combine_chunks(),
        guesses["decided_by"].combine_chunks().take(at.combine_chunks()),
        "+",
    )
    for name, values in (("subcategory", below), ("reason", words), ("decided_by", models)):
        kept = categories[name].combine_chunks()
        categories = _replaced(categories, name, compute.if_else(is_agreed, values, kept))
    return categories
