"""An account's own rules: what they may say, which one decides, and that plans honor them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_trees import Item, plan, rows

from models.domain.errors import InvalidError
from models.domain.jobs import OrganizeOptions
from models.domain.plans import Action
from models.domain.rules import Rule, first_match, in_order, rule_from, said
from models.domain.ruling import check_rule
from models.tables.mapping import options_document, options_from


def rule(when, then, *, priority=0, identity="r"):
    return rule_from({"id": identity, "priority": priority, "when": when, "then": then})


def row(key="Inbox/Invoice 7.PDF", **facts):
    return {
        "key": key,
        "size_bytes": 1000,
        "mime": "application/pdf",
        "media": "document",
        "sender": None,
        "category": "Finance",
        "captured_at": "2023-05-06T07:08:09",
        "captured_source": "exif",
        "captured_flag": "",
        "modified_ns": 0,
        **facts,
    }


@pytest.mark.parametrize(
    "when",
    [
        {"extensions": ["pdf"]},
        {"extensions": ".pdf"},
        {"name_matches": ["*invoice*"]},
        {"path_matches": ["inbox/*"]},
        {"categories": ["Health", "Finance"]},
        {"mime": ["application/*"]},
        {"media": ["document"]},
        {"min_size_bytes": 1000, "max_size_bytes": 1000},
        {"dated_from": "2023-05-06", "dated_before": "2023-05-07"},
    ],
)
def test_a_condition_that_holds_fits(when):
    assert first_match([rule(when, {"stay": True})], row()) is not None


@pytest.mark.parametrize(
    "when",
    [
        {"extensions": ["df"]},
        {"extensions": ["pdf"], "categories": ["Work"]},
        {"name_matches": ["invoice"]},
        {"path_matches": ["archive/*"]},
        {"mime": ["image/*"]},
        {"media": ["image"]},
        {"sender": ["*@example.com"]},
        {"min_size_bytes": 1001},
        {"max_size_bytes": 999},
        {"dated_before": "2023-05-06"},
        {"dated_from": "2023-05-07"},
    ],
)
def test_a_condition_that_does_not_hold_does_not_fit(when):
    assert first_match([rule(when, {"stay": True})], row()) is None


@pytest.mark.parametrize(
    ("when", "then"),
    [
        ({}, {"stay": True}),
        ({"extensions": []}, {"stay": True}),
        ({"colour": "red"}, {"stay": True}),
        ({"extensions": [1]}, {"stay": True}),
        ({"extensions": "a" * 501}, {"stay": True}),
        ({"min_size_bytes": -1}, {"stay": True}),
        ({"min_size_bytes": True}, {"stay": True}),
        ({"dated_from": "2023-13-01"}, {"stay": True}),
        ({"dated_from": "20230101"}, {"stay": True}),
        ({"extensions": "pdf"}, {}),
        ({"extensions": "pdf"}, {"stay": False}),
        ({"extensions": "pdf"}, {"stay": "yes"}),
        ({"extensions": "pdf"}, {"stay": True, "category": "Work"}),
        ({"extensions": "pdf"}, {"subcategory": "Reports", "stay": True}),
        ({"extensions": "pdf"}, {"delete": True}),
        ({"extensions": "pdf"}, {"template": "../{stem}{ext}"}),
        ({"extensions": "pdf"}, {"template": "/etc/{stem}{ext}"}),
        ({"extensions": "pdf"}, {"template": "{category}/{counter}{ext}"}),
        ("pdf", {"stay": True}),
        ({"extensions": "pdf"}, ["stay"]),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(when, then):
    with pytest.raises(InvalidError):
        check_rule(rule(when, then))


def test_the_smallest_priority_is_asked_first():
    first = rule({"extensions": "pdf"}, {"category": "Work"}, priority=1, identity="b")
    later = rule({"extensions": "pdf"}, {"stay": True}, priority=2, identity="a")
    assert first_match(in_order([later, first]), row()) is first


def test_plans_honor_rules_before_the_mode():
    tree = {
        "a/report.txt": Item("1"),
        "a/keep.me": Item("2"),
        "a/song.mp3": Item("3", category="Audio"),
        "a/note.md": Item("4", category="Work"),
    }
    rules = (
        rule({"extensions": "txt"}, {"template": "Texts/{year}/{stem}{ext}"}, identity="1"),
        rule({"name_matches": "keep*"}, {"stay": True}, identity="2"),
        rule({"extensions": "mp3"}, {"category": "Personal"}, identity="3"),
    )
    options = OrganizeOptions(mode="category", rules=rules)
    moves = rows(plan(tree, options))
    assert moves["a/report.txt"].destination_key == "Texts/2020/report.txt"
    assert "rule" in moves["a/report.txt"].reason
    assert moves["a/keep.me"].action == Action.SKIP
    assert "rule" in moves["a/keep.me"].reason
    assert moves["a/song.mp3"].destination_key == "Personal/song.mp3"
    assert moves["a/note.md"].destination_key == "Work/note.md"
    assert moves["a/note.md"].reason == "filed by category"


def test_a_second_run_with_rules_changes_nothing():
    rules = (rule({"extensions": "txt"}, {"template": "Texts/{stem}{ext}"}),)
    tree = {"Texts/report.txt": Item("1"), "Work/x.md": Item("2", category="Work")}
    options = OrganizeOptions(mode="category", rules=rules)
    moves = rows(plan(tree, options))
    assert {move.action for move in moves.values()} == {Action.SKIP}


CONDITIONS = st.fixed_dictionaries(
    {"extensions": st.lists(st.sampled_from(["pdf", "TXT", ".md"]), min_size=1)},
    optional={
        "min_size_bytes": st.integers(0, 10**12),
        "dated_from": st.dates().map(str),
        "name_matches": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
        .filter(str.strip)
        .map(lambda text: [text]),
    },
)


@given(CONDITIONS, st.sampled_from([{"stay": True}, {"category": "A", "subcategory": "B"}]))
def test_a_stored_rule_comes_back_as_it_was(when, then):
    made = rule(when, then, priority=3)
    options = OrganizeOptions(rules=(made,))
    assert options_from(options_document(options)) == options
    assert rule_from(made.document()) == made
    assert isinstance(made, Rule)
    assert said(made.then) == then
    first_match([made], row())
