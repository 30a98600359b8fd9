"""Decisions are of contents: names, folders and storages do not matter to them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.decisions import Decisions, holding, keep, not_duplicate
from models.domain.duplicates import DuplicateRow
from models.domain.errors import InvalidError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from tasks.dedupe.core import exact_groups
from warehouse.schemas.arrow import to_rows, to_table

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def file(key: str, sha256: str = A, **facts) -> Fingerprint:
    values = {"size_bytes": 5, "modified_ns": 1, "version": "v"}
    return Fingerprint(key=key, sha256=sha256, **{**values, **facts})


def groups(files, decisions=None, **options) -> list[DuplicateRow]:
    table = to_table(files, Fingerprint)
    return to_rows(
        exact_groups(table, options=OrganizeOptions(**options), decisions=decisions), DuplicateRow
    )


def keeper(rows) -> str:
    return next(row.key for row in rows if row.is_keeper)


def test_a_pair_is_ordered_and_a_content_is_never_told_from_itself():
    assert not_duplicate(B, A) == not_duplicate(A, B)
    with pytest.raises(InvalidError, match="same bytes"):
        not_duplicate(A, A)


def test_the_file_a_person_chose_stays_against_every_rule():
    files = [file("a.txt"), file("deep/er/chosen.txt"), file("keep/b.txt")]
    chosen = holding([keep(A, "deep/er/chosen.txt")])
    rows = groups(files, chosen, protected=("keep",))
    assert keeper(rows) == "deep/er/chosen.txt"
    assert {row.keep_reason for row in rows} == {"chosen by a person"}
    assert {row.key for row in rows if row.is_removable} == {"a.txt"}
    assert keeper(groups(files, protected=("keep",))) == "keep/b.txt"


def test_a_chosen_file_that_moved_is_known_by_its_name_and_elsewhere_by_its_content():
    chosen = holding([keep(A, "album/chosen.txt")])
    moved = [file("a.txt"), file("Photos/2020/chosen.txt")]
    assert keeper(groups(moved, chosen)) == "Photos/2020/chosen.txt"
    renamed = [file("a.txt"), file("Photos/2020/other.txt")]
    assert groups(renamed, chosen) == groups(renamed)


def test_of_two_files_of_the_chosen_name_the_one_that_was_named_stays():
    chosen = holding([keep(A, "z/same.txt")])
    assert keeper(groups([file("a/same.txt"), file("z/same.txt")], chosen)) == "z/same.txt"


def test_companions_are_chosen_together():
    pair = [(f"{folder}/x.{ext}", sha) for folder in "pq" for ext, sha in (("cr3", B), ("jpg", A))]
    files = [file(key, sha) for key, sha in pair]
    rows = groups(files, holding([keep(A, "q/x.jpg")]))
    assert {row.key for row in rows if row.is_keeper} == {"q/x.cr3", "q/x.jpg"}


def test_two_contents_that_both_stay_are_apart():
    both = holding([keep(A, "a"), keep(B, "b"), not_duplicate(B, C)])
    assert both.is_apart(A, B)
    assert both.is_apart(C, B)
    assert not both.is_apart(A, C)


@given(st.permutations([keep(A, "x"), keep(B, ""), not_duplicate(A, C), not_duplicate(C, B)]))
def test_the_order_of_decisions_does_not_matter(decisions):
    assert holding(decisions) == holding(sorted(decisions, key=lambda each: each.name))


def test_without_decisions_nothing_changes():
    files = [file("a.txt"), file("b.txt")]
    assert groups(files, Decisions()) == groups(files)
    assert groups([replace(files[0], sha256=B), files[1]], holding([keep(A, "b.txt")])) == []
