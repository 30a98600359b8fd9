"""Questions worth asking, corrections that count before anything else, and what they changed."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.review import COLUMNS, read_answers, write_questions
from models.domain.categories import CategoryRow
from models.domain.errors import InvalidError
from models.domain.fingerprint import Fingerprint
from models.domain.taxonomy import Correction
from models.domain.taxonomy_edits import removed, renamed
from tasks.categorize.correcting import BY_HAND, corrected
from tasks.categorize.review import changes, options_of, questions
from tasks.categorize.taxonomy import shipped_taxonomy
from warehouse.schemas.arrow import to_rows, to_table

TORN = "Work/Reports 0.41; Finance 0.38; Legal/Contracts 0.11"


def row(key, category="Needs review", confidence=0.4, alternatives=TORN, **more):
    return CategoryRow(
        key=key,
        category=category,
        subcategory=more.get("subcategory"),
        coarse_category="Others",
        confidence_ratio=confidence,
        reason=f"because of {key}",
        decided_by="model",
        alternatives=alternatives,
    )


def file(key, content=None, label="pdf"):
    made = f"{content or key:0>64}"[-64:]
    return Fingerprint(
        key=key, size_bytes=1, modified_ns=0, version="v", sha256=made, content_label=label
    )


def tables(rows, files):
    return to_table(rows, CategoryRow), to_table(files, Fingerprint)


def test_alternatives_are_read_back_as_they_were_said():
    assert options_of(TORN) == (
        ("Work/Reports", 0.41), ("Finance", 0.38), ("Legal/Contracts", 0.11),
    )  # fmt: skip
    assert options_of("3D and CAD, Fonts/Models 0.50") == (("3D and CAD, Fonts/Models", 0.5),)
    assert options_of(None) == options_of("") == options_of("nothing like it") == ()


def test_the_most_torn_come_first_and_no_kind_twice_in_a_row():
    rows = [
        row("a1", alternatives="Work 0.50; Finance 0.49"),
        row("a2", alternatives="Work 0.50; Finance 0.48"),
        row("a3", alternatives="Work 0.50; Legal 0.47"),
        row("b1", alternatives="Health 0.60; Legal 0.20"),
        row("c1", category="Photos", confidence=0.6, alternatives=None),
        row("sure", category="Photos", confidence=0.98, alternatives=None),
    ]
    categories, files = tables(rows, [file(each.key) for each in rows])
    asked = questions(categories, files, [], 10)
    assert [each.key for each in asked] == ["a1", "b1", "c1", "a2", "a3"]
    assert asked[0].margin == pytest.approx(0.01)
    assert [each.key for each in questions(categories, files, [], 2)] == ["a1", "b1"]


def test_a_content_is_asked_about_once_and_not_again_when_it_was_answered():
    rows = [row("a"), row("copy of a"), row("b"), row("unread")]
    contents = [file("a", "1"), file("copy of a", "1"), file("b", "2")]
    unread = Fingerprint(key="unread", size_bytes=1, modified_ns=0, version="v")
    categories, files = tables(rows, [*contents, unread])
    assert [each.key for each in questions(categories, files, [], 9)] == ["a", "b"]
    assert [each.key for each in questions(categories, files, [contents[0].sha256], 9)] == ["b"]


def test_what_was_said_counts_before_rules_and_models_wherever_the_content_lies():
    rows = [row("a", category="Photos", confidence=0.98), row("moved/b"), row("c")]
    contents = [file("a", "1"), file("moved/b", "1"), file("c", "2")]
    categories, files = tables(rows, contents)
    said = [Correction(sha256=contents[0].sha256, category="Finance", subcategory="Tax")]
    taxonomy = renamed(shipped_taxonomy(), "Finance", "Geld")
    after = to_rows(corrected(categories, files, said, taxonomy), CategoryRow)
    assert [(each.key, each.category, each.subcategory) for each in after] == [
        ("a", "Geld", "Tax"), ("c", "Needs review", None), ("moved/b", "Geld", "Tax"),
    ]  # fmt: skip
    assert (after[0].decided_by, after[0].confidence_ratio) == (BY_HAND, 1.0)
    assert after[0].coarse_category == "Documents"
    gone = removed(shipped_taxonomy(), "Finance")
    assert corrected(categories, files, said, gone).equals(categories)
    assert corrected(categories, files, [], taxonomy).equals(categories)


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.randoms())
def test_the_order_of_files_and_corrections_never_matters(keys, rng):
    rows = [row(key) for key in keys]
    files = [file(key) for key in keys]
    said = [Correction(sha256=each.sha256, category="Work") for each in files[::2]]
    first = corrected(*tables(rows, files), said, shipped_taxonomy())
    rng.shuffle(files)
    rng.shuffle(said)
    again = corrected(*tables(rows, files), said, shipped_taxonomy())
    assert first.sort_by("key").equals(again.sort_by("key"))
    assert first.num_rows == len(keys)


def test_changes_are_files_of_both_whose_category_is_another():
    before = to_table([row("a", "Work"), row("b", "Work"), row("gone", "Work")], CategoryRow)
    after = to_table(
        [row("a", "Work", subcategory="Reports"), row("b", "Work"), row("new", "Legal")],
        CategoryRow,
    )
    (change,) = changes(before, after)
    assert (change.key, change.before, change.after) == ("a", "Work", "Work/Reports")


def test_questions_go_out_and_answers_come_back_by_csv(tmp_path: Path):
    rows = [row("a, with a comma"), row("b")]
    categories, files = tables(rows, [file("a, with a comma", "1"), file("b", "2")])
    path = tmp_path / "questions.csv"
    write_questions(path, questions(categories, files, [], 10))
    assert read_answers(path, shipped_taxonomy()) == []
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert tuple(lines[0]) == COLUMNS
    lines[0]["category"] = "finance/Tax"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    (said,) = read_answers(path, shipped_taxonomy())
    assert (said.category, said.subcategory) == ("Finance", "Tax")
    assert said.sha256 == lines[0]["sha256"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "lacks the columns"),
        ("sha256,category\nxyz,Work\n", "line 2: 'xyz' is no SHA-256"),
        (f"sha256,category\n{'a' * 64},Nothing\n", "line 2: there is no category 'Nothing'"),
        (f"sha256,category\n{'a' * 64},Work/Nothing\n", "Work has no 'Nothing'"),
    ],
)
def test_a_csv_that_makes_no_sense_corrects_nothing_and_says_where(tmp_path, text, told):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(InvalidError, match=told):
        read_answers(path, shipped_taxonomy())
    with pytest.raises(InvalidError, match="cannot be read"):
        read_answers(tmp_path / "none.csv", shipped_taxonomy())
