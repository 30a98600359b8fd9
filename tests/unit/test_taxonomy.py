"""The taxonomy as data: what comes along, what users may change, what is refused and how."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_trees import Item, outcome, plan, rows
from typer.testing import CliRunner

from cli.main import app
from cli.preview import folds
from models.domain.categories import TAXONOMY, CategoryRow, coarse_category
from models.domain.errors import ConflictError, InvalidError, MissingError
from models.domain.jobs import OrganizeOptions
from models.domain.taxonomy import COARSE_NAMES, Topic, folded_subcategories
from models.domain.taxonomy_document import document_of, taxonomy_from
from models.domain.taxonomy_edits import added, removed, renamed, reprompted
from models.settings import Settings
from tasks.categorize.core import named
from tasks.categorize.taxonomy import (
    load_taxonomy,
    own_copy,
    parse_taxonomy,
    shipped_taxonomy,
    taxonomy_text,
)
from warehouse.schemas.arrow import to_rows, to_table

SMALL = """
version: 1
budget: 3
categories:
  - {name: Money, id: Finance, coarse: Documents, prompts: [an invoice],
     subcategories: [{name: Bills, id: Invoices, prompts: [a bill]}, {name: Tax}]}
  - {name: Needs review, coarse: Others}
"""


def decided(category, subcategory=None):
    return CategoryRow(
        key="a",
        category=category,
        subcategory=subcategory,
        coarse_category=coarse_category(category),
        confidence_ratio=0.9,
        reason="because",
        decided_by="test",
    )


def name_of(taxonomy, category, subcategory=None):
    table = to_table([decided(category, subcategory)], CategoryRow)
    (row,) = to_rows(named(table, taxonomy), CategoryRow)
    return row


def test_what_comes_along_is_what_the_rules_speak_of_and_every_category_is_described():
    taxonomy = shipped_taxonomy()
    listed = {
        each.name: tuple(topic.name for topic in each.subcategories)
        for each in taxonomy.all_categories
    }
    assert listed == TAXONOMY
    assert all(each.coarse == coarse_category(each.name) for each in taxonomy.all_categories)


def test_written_and_read_again_it_is_the_same():
    changed = renamed(shipped_taxonomy(), "Finance/Tax", "Steuern")
    again = parse_taxonomy(taxonomy_text(changed))
    assert again == changed
    assert again.digest == changed.digest != shipped_taxonomy().digest
    assert again.by_ids().categories == shipped_taxonomy().categories
    assert taxonomy_text(changed).startswith("# The taxonomy")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("colour: red\n" + SMALL, "there is no key 'colour'"),
        (SMALL.replace("prompts: [a bill]", "prompt: [a bill]"), "is 'prompts' meant?"),
        (SMALL.replace("coarse: Documents", "coarse: Document"), "is 'Documents' meant?"),
        (SMALL.replace("name: Tax", "name: BILLS"), "'Bills' and 'BILLS' are one folder"),
        (SMALL.replace("name: Tax", "name: A/B"), "Money/A/B: no folder's name can have / in it"),
        (SMALL.replace("name: Tax", "name: 'a{b}'"), "no folder's name can have { }"),
        (SMALL.replace("name: Tax", "name: CON"), "no folder can have this name"),
        (SMALL.replace("name: Tax", "name: 'Tax. '"), "no folder can have this name"),
        (SMALL.replace("name: Tax", "name: " + "t" * 101), "100 characters at most"),
        (SMALL.replace("name: Tax", "name: Tax, id: Invoices"), "'Invoices' stands for two"),
        (SMALL.replace("name: Tax", "name: 7"), "has no name"),
        (SMALL.replace("budget: 3", "budget: -1"), "budget: must be a number of folders"),
        (SMALL.replace("version: 1", "version: 2"), "version: must be 1"),
        (SMALL.replace("Needs review", "Later"), "lack 'Needs review'"),
        (SMALL.replace("[an invoice]", "[1]"), "1 is no text"),
        ("version: 1\nversion: 1\n", "the key 'version' is given twice"),
        ("version: [", "is no YAML"),
        ("- a\n", "must have the keys version, budget, categories"),
        ("x" * 1_000_001, "larger than any taxonomy"),
    ],
)
def test_what_is_wrong_is_refused_with_the_place_and_the_reason(wrong, said):
    parse_taxonomy(SMALL)
    with pytest.raises(InvalidError) as caught:
        parse_taxonomy(wrong)
    assert said in str(caught.value)


def test_everything_wrong_is_told_at_once():
    wrong = SMALL.replace("version: 1", "version: 2").replace("coarse: Documents", "coarse: No")
    with pytest.raises(InvalidError) as caught:
        parse_taxonomy(wrong)
    assert str(caught.value).count("\n") == 2


def test_a_renamed_category_goes_on_to_take_the_files_of_its_rules():
    taxonomy = renamed(renamed(shipped_taxonomy(), "Finance", "Geld"), "Geld/Invoices", "Rechnung")
    row = name_of(taxonomy, "Finance", "Invoices")
    assert (row.category, row.subcategory, row.coarse_category) == ("Geld", "Rechnung", "Documents")
    assert taxonomy.pair("geld", "rechnung") == ("Finance", "Invoices")
    assert taxonomy.pair("Finance", None) == ("Finance", None)


def test_a_removed_category_gives_its_files_to_its_heir_or_to_review():
    base = shipped_taxonomy()
    assert name_of(removed(base, "Legal", into="Work"), "Legal", "Contracts").category == "Work"
    row = name_of(removed(base, "Legal"), "Legal", "Contracts")
    assert (row.category, row.confidence_ratio) == ("Needs review", 0.0)
    assert row.reason.startswith("because; ")
    twice = removed(removed(base, "Legal", into="Work"), "Work", into="Finance")
    assert name_of(twice, "Legal").category == name_of(twice, "Work").category == "Finance"
    kept = name_of(removed(base, "Finance/Tax"), "Finance", "Tax")
    assert (kept.category, kept.subcategory) == ("Finance", None)
    with pytest.raises(InvalidError):
        removed(base, "Needs review")


def test_what_is_added_stands_before_review_and_refuses_a_second():
    taxonomy = added(
        shipped_taxonomy(), "Sheet music", "Documents", Topic(name="", prompts=("staves",))
    )
    taxonomy = added(taxonomy, "Sheet music/Piano", "Documents", Topic(name="x"))
    assert [each.name for each in taxonomy.all_categories][-2:] == ["Sheet music", "Needs review"]
    assert taxonomy_from(document_of(taxonomy)) == taxonomy
    changed = reprompted(taxonomy, "Sheet music/Piano", ("music for piano",), ("a piano",))
    piano = changed.require("Sheet music").subcategory("Piano")
    assert piano is not None
    assert piano.prompts == ("music for piano",)
    for path in ("finance", "Finance/tax"):
        with pytest.raises(ConflictError):
            added(taxonomy, path, "Documents", Topic(name="x"))
    for path in ("Nothing", "Finance/Nothing"):
        with pytest.raises(MissingError):
            renamed(taxonomy, path, "x")


def test_categories_of_the_taxonomy_that_comes_along_keep_their_rows():
    table = to_table(
        [decided(name, below) for name, subs in TAXONOMY.items() for below in (None, *subs)],
        CategoryRow,
    )
    assert named(table, shipped_taxonomy()).equals(table)
    nothing = table.slice(0, 0)
    assert named(nothing, shipped_taxonomy()).num_rows == 0
    assert isinstance(nothing, pa.Table)


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.sampled_from(["", "x", "y", "z", "w"])),
    st.integers(1, 5),
)


@given(COUNTS, st.integers(0, 4))
def test_a_budget_keeps_the_largest_and_the_order_of_counts_never_matters(counts, budget):
    folds = folded_subcategories(counts, budget)
    assert folds == folded_subcategories(dict(reversed(counts.items())), budget)
    for category in "AB":
        kept = {s: n for (c, s), n in counts.items() if c == category and (c, s) not in folds}
        gone = [n for (c, _), n in folds.items() if c == category]
        assert len(kept) <= budget
        assert not gone or (len(kept) == budget and max(gone) <= min(kept.values(), default=9))


def test_small_sub_folders_fold_into_their_parent_and_the_plan_says_so():
    def paper(text, subcategory):
        return Item(text, category="Finance", subcategory=subcategory)

    tree = {
        "a.pdf": paper("a", "Invoices"),
        "b.pdf": paper("b", "Invoices"),
        "c.pdf": paper("c", "Tax"),
        "d.pdf": paper("d", None),
    }
    options = OrganizeOptions(mode="category_subcategory", subfolders=1)
    moves = plan(tree, options)
    settled, _, _ = outcome(tree, options)
    assert settled == {
        "Finance/Invoices/a.pdf": "a",
        "Finance/Invoices/b.pdf": "b",
        "Finance/c.pdf": "c",
        "Finance/d.pdf": "d",
    }
    assert folds(moves) == [
        "Tax (1) folds into Finance: at most 1 sub-folders",
        "without sub-category (1) folds into Finance: at most 1 sub-folders",
    ]
    assert "folds into" in rows(moves)["c.pdf"].reason
    after = {key: tree[f"{key[-5]}.pdf"] for key in settled}
    assert {row.action for row in rows(plan(after, options)).values()} == {"skip"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments):
    return CliRunner().invoke(app, ["taxonomy", *arguments])


def test_the_command_shows_copies_checks_and_changes(home):
    shown = json.loads(run("show", "--json").stdout)
    assert taxonomy_from(shown) == shipped_taxonomy()
    assert "20 categories" in run("show").stdout
    path = own_copy(Settings())
    assert run("edit-path").stdout.strip() == str(path) == str(home / "taxonomy.yaml")
    assert run("rename", "Finance", "Geld").exit_code == 0
    assert run("add", "Maps", "--coarse", "Others", "--prompt", "a map").exit_code == 0
    assert run("prompts", "Maps", "--prompt", "a street map").exit_code == 0
    assert run("remove", "Legal", "--into", "Geld").exit_code == 0
    taxonomy = load_taxonomy(Settings())
    assert taxonomy.require("Legal").name == "Geld"
    assert taxonomy.require("Maps").topic.prompts == ("a street map",)
    assert json.loads(run("check", "--json").stdout)["categories"] == 20
    before = path.read_bytes()
    assert run("rename", "Geld", "a/b").exit_code == 2
    assert path.read_bytes() == before
    path.write_text(SMALL.replace("Documents", "Paper"))
    assert run("check").exit_code == 2
    assert run("check", str(home / "none.yaml")).exit_code == 2
    assert run("show").exit_code == 2
    assert set(COARSE_NAMES) >= {each.coarse for each in taxonomy.all_categories}
