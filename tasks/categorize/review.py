"""Which files are worth asking a person about, and what an answer changed. Pure."""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.categories import CategoryRow
from tasks.categorize.core import OPEN_BELOW
from warehouse.schemas.arrow import to_rows

compute: Any = pc  # the stubs know too few of its overloads

_ALTERNATIVE = re.compile(r"(?P<name>[^;]+?) (?P<share>[01]\.\d\d)(?:; |\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One content that a person could decide.

    Attributes:
        key: a file of it.
        guess: category and sub-category as they stand.
        options: the likeliest categories, `Category/Sub-category`, with their probabilities.
        margin: lead of the first over the second; the smaller, the more an answer tells.
    """

    sha256: str
    key: str
    guess: str
    confidence: float
    reason: str
    options: tuple[tuple[str, float], ...]
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file whose category is another than before."""

    key: str
    before: str
    after: str
    confidence: float
    reason: str


def options_of(alternatives: str | None) -> tuple[tuple[str, float], ...]:
    """Return the categories that a decision names, with their probabilities, as they stand."""
    found = _ALTERNATIVE.finditer(alternatives or "")
    return tuple((match["name"].strip(), float(match["share"])) for match in found)


def margin_of(row: CategoryRow, options: tuple[tuple[str, float], ...]) -> float:
    """Return the lead of the first category over the second; the confidence where a rule decided.

    Margin sampling: Scheffer, Decomain, Wrobel 2001, "Active hidden Markov models for information
    extraction".
    """
    if len(options) > 1:
        return options[0][1] - options[1][1]
    return row.confidence_ratio


def questions(
    categories: pa.Table, fingerprints: pa.Table, answered: Collection[str], limit: int
) -> list[Question]:
    """Return the contents whose answer tells most, the first first, from all kinds in turn.

    Kinds are the likeliest category and the content type: near-equal files are of one kind, so that
    no ten of them are asked about in a row.

    Args:
        categories: (n,) rows of CategoryRow.
        fingerprints: (n,) rows of Fingerprint of the same files.
        answered: contents that were corrected before.
        limit: questions at most.
    """
    is_open = compute.less(categories["confidence_ratio"], OPEN_BELOW)
    has_options = compute.is_valid(categories["alternatives"])
    chosen = categories.filter(compute.or_(is_open, has_options))
    at = compute.index_in(
        chosen["key"], value_set=fingerprints["key"].combine_chunks().cast(pa.string())
    )
    hashes: list[str | None] = fingerprints["sha256"].take(at).to_pylist()
    labels: list[str | None] = fingerprints["content_label"].take(at).to_pylist()
    kinds: defaultdict[tuple[str, str | None], list[Question]] = defaultdict(list)
    seen = set(answered)
    for row, sha256, label in zip(to_rows(chosen, CategoryRow), hashes, labels, strict=True):
        if sha256 is None or sha256 in seen:
            continue
        seen.add(sha256)
        options = options_of(row.alternatives)
        question = Question(
            sha256=sha256,
            key=row.key,
            guess=pair_name(row.category, row.subcategory),
            confidence=row.confidence_ratio,
            reason=row.reason,
            options=options,
            margin=margin_of(row, options),
        )
        first = options[0][0].partition("/")[0] if options else row.category
        kinds[first, label].append(question)
    return _in_turn([sorted(each, key=_by_margin) for each in kinds.values()], limit)


def _by_margin(question: Question) -> tuple[bool, float, str]:
    """Order by what an answer tells: files that a model was torn about before those nobody read."""
    return not question.options, question.margin, question.key


def _in_turn(kinds: list[list[Question]], limit: int) -> list[Question]:
    """Take the first of each kind, then the second, until there are enough."""
    kinds = sorted(kinds, key=lambda each: _by_margin(each[0]))
    found: list[Question] = []
    place = 0
    while len(found) < limit and any(place < len(each) for each in kinds):
        found += [each[place] for each in kinds if place < len(each)]
        place += 1
    return found[:limit]


def pair_name(category: str, subcategory: str | None) -> str:
    """Return `Category/Sub-category`, or the category alone."""
    return f"{category}/{subcategory}" if subcategory else category


def changes(before: pa.Table, after: pa.Table) -> list[Change]:
    """Return the files whose category is another than before, sorted by key.

    Args:
        before: (n,) rows of CategoryRow.
        after: rows of CategoryRow; files of only one of both are no change.
    """
    old = {
        row.key: pair_name(row.category, row.subcategory) for row in to_rows(before, CategoryRow)
    }
    found: list[Change] = []
    for row in to_rows(after, CategoryRow):
        name = pair_name(row.category, row.subcategory)
        if old.get(row.key, name) != name:
            found.append(
                Change(
                    key=row.key,
                    before=old[row.key],
                    after=name,
                    confidence=row.confidence_ratio,
                    reason=row.reason,
                )
            )
    return sorted(found, key=lambda each: each.key)
