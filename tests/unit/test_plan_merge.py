"""A union merge: nothing lost, nothing overwritten, the union of contents the same."""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_trees import Item, apply, items, tables

from models.domain.errors import InvalidError, MissingError
from models.domain.jobs import OrganizeOptions
from models.domain.plans import Action, Move
from models.domain.targets import Target
from tasks.plan.merge import merge_moves
from tasks.plan.merge_rows import merge_totals
from warehouse.schemas.arrow import to_rows


def merged(tree, giving="b", taking="a", *, target=None, blocked=(), rng=None, **options):
    """The moves of a merge."""
    chosen = OrganizeOptions(merge_from=giving, merge_into=taking, **options)
    found, _ = tables(tree, rng)
    return merge_moves(found, options=chosen, target=target, blocked=blocked)


def outcome(tree, *args, **options):
    """Live files and the trash after a merge."""
    live = items(tree)
    trash = apply(merged(tree, *args, **options), live, live, options.get("target"))
    return {key: item.content for key, item in live.items()}, sorted(i.content for i in trash)


def told(tree, *args, **options):
    return {
        row.source_key: (row.action, row.destination_key or row.keeper_key, row.reason)
        for row in to_rows(merged(tree, *args, **options), Move)
    }


def test_what_is_only_there_moves_and_what_both_have_goes():
    tree = {"a/x": "1", "a/deep/y": "2", "b/other name": "1", "b/deep/y": "2", "b/deep/z": "3"}
    live, trash = outcome(tree)
    assert live == {"a/x": "1", "a/deep/y": "2", "a/deep/z": "3"}
    assert trash == ["1", "2"]
    assert told(tree)["b/other name"] == ("trash", "a/x", "the other folder has it: a/x")


def test_a_name_taken_by_another_content_is_numbered():
    live, trash = outcome({"a/x.txt": "1", "a/x (2).txt": "2", "b/x.txt": "3"})
    assert live == {"a/x.txt": "1", "a/x (2).txt": "2", "a/x (3).txt": "3"}
    assert not trash
    folding = Target(folds_case=True, normalizes_unicode=True)
    live, _ = outcome({"a/X.txt": "1", "b/x.txt": "3"}, target=folding)
    assert live == {"a/X.txt": "1", "a/x (2).txt": "3"}


def test_equal_files_of_one_folder_both_move():
    live, trash = outcome({"a/x": "1", "b/y": "2", "b/z": "2"})
    assert live == {"a/x": "1", "a/y": "2", "a/z": "2"}
    assert not trash


def test_empty_files_are_equal_only_in_their_own_place():
    live, trash = outcome({"a/x": "", "a/k": "1", "b/x": "", "b/y": ""})
    assert live == {"a/x": "", "a/y": "", "a/k": "1"}
    assert trash == [""]


def test_companions_are_united_in_their_place_or_numbered_together():
    live, trash = outcome({"a/I.jpg": "1", "b/I.jpg": "1", "b/I.CR2": "2", "b/I.xmp": "3"})
    assert live == {"a/I.jpg": "1", "a/I.CR2": "2", "a/I.xmp": "3"}
    assert trash == ["1"]
    live, trash = outcome({"a/I.jpg": "9", "b/I.jpg": "1", "b/I.CR2": "2"})
    assert live == {"a/I.jpg": "9", "a/I (2).jpg": "1", "a/I (2).CR2": "2"}
    live, trash = outcome({"a/n/J.jpg": "1", "a/n/J.CR2": "2", "b/I.jpg": "1", "b/I.CR2": "2"})
    assert trash == ["1", "2"]
    tree = {"a/J.jpg": "1", "a/K.CR2": "2", "b/I.jpg": "1", "b/I.CR2": "2"}
    live, trash = outcome(tree)
    assert not trash, "a pair is not given up for two strangers"
    assert {"a/I.jpg", "a/I.CR2"} <= live.keys()


def test_a_project_is_equal_as_a_whole_or_moves_as_a_whole():
    same = {"b/p/package.json": "1", "b/p/m.js": "2", "b/p/empty": ""}
    there = {"a/q/package.json": "1", "a/q/m.js": "2", "a/q/empty": ""}
    live, trash = outcome(same | there)
    assert live == there
    assert trash == ["", "1", "2"]
    live, trash = outcome(same | {"a/p/package.json": "1", "a/p/m.js": "changed"})
    assert {"a/p (2)/package.json", "a/p (2)/m.js", "a/p (2)/empty"} <= live.keys()
    assert not trash
    found = told({"a/x": "1", "b/package.json": "2", "b/m": "3"})
    assert {action for action, _, _ in found.values()} == {"refuse"}
    assert outcome({"a/package.json": "2", "a/m": "3", "b/package.json": "2", "b/m": "3"})[1] == [
        "2",
        "3",
    ]
    found = told({"a/p/package.json": "1", "b/p/x": "3"})
    assert found["b/p/x"][0] == "refuse"
    with pytest.raises(InvalidError, match="lies in a project"):
        merged({"a/x": "1", "p/package.json": "1", "p/b/y": "2"}, "p/b", "a")


def test_what_must_stay_stays():
    unread = Item("9", facts={"sha256": None, "problem": "unreadable: PermissionError"})
    found = told({"a/x": "1", "b/keep/x": "1", "b/u": unread}, protected=("b/keep",))
    assert found["b/keep/x"][::2] == ("skip", "in a protected folder")
    assert found["b/u"][::2] == ("refuse", "unreadable: PermissionError")
    linked = {"facts": {"device": 1, "inode": 7, "link_count": 2}}
    found = told({"a/x": Item("1", **linked), "b/x": Item("1", **linked)})
    assert found["b/x"][0] == "skip"
    found = told({"a/x": "1", "b/x/y": "2"})
    assert found["b/x/y"][::2] == ("refuse", "a file stands where its folder would be")
    found = told({"a/k": "1", "b/x": "2"}, blocked=("a/x",))
    assert found["b/x"][1] == "a/x (2)"


def test_nested_folders_are_united_and_the_inner_one_belongs_to_itself():
    tree = {"a/x": "1", "a/b/y": "1", "a/b/z": "2", "a/b/b": "3"}
    live, trash = outcome(tree, "a/b", "a")
    assert (live, trash) == ({"a/x": "1", "a/z": "2", "a/b (2)": "3"}, ["1"])
    live, trash = outcome({"a/x": "1", "a/y": "2", "a/in/x": "2"}, "a", "a/in")
    assert (live, trash) == ({"a/in/x": "2", "a/in/x (2)": "1"}, ["2"])
    live, _ = outcome({"x": "1", "b/y": "2"}, "b", "")
    assert live == {"x": "1", "y": "2"}


@pytest.mark.parametrize(
    ("giving", "taking", "error"),
    [
        ("a", "a", InvalidError),
        ("", "a", InvalidError),
        ("c", "a", MissingError),
        ("a", "c", MissingError),
    ],
)
def test_folders_that_make_no_sense_are_refused(giving, taking, error):
    with pytest.raises(error):
        merged({"a/x": "1", "b/x": "2"}, giving, taking)


FOLDERS = ["a", "a/s", "b", "b/s", "b/s/t", "a/p", "b/p", "c", "a/b", "b/a"]
NAMES = [
    "x.txt", "X.txt", "x (2).txt", "I.jpg", "I.CR2", "I.xmp", "I.jpg.xmp", "I.mov", "s", "p",
    "package.json", "é", "e\u0301",
]  # fmt: skip
TREES = st.dictionaries(
    st.builds("{}/{}".format, st.sampled_from(FOLDERS), st.sampled_from(NAMES)),
    st.builds(Item, content=st.sampled_from(["", "1", "2", "3"])),
    min_size=4,
    max_size=14,
)
TARGETS = st.sampled_from([Target(), Target(folds_case=True, normalizes_unicode=True)])
PAIRS = st.sampled_from([("b", "a"), ("a/b", "a"), ("b", "b/a"), ("a", "c"), ("b", "")])


def consistent(tree, target):
    """Drop what one disk could not hold."""
    kept = {}
    seen = set()
    for key in sorted(tree):
        name = target.key()(key)
        above = {name[:n] for n, c in enumerate(name) if c == "/"}
        if name in seen or above & seen or any(other.startswith(f"{name}/") for other in seen):
            continue
        seen.add(name)
        kept[key] = tree[key]
    return kept


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TARGETS, PAIRS, st.randoms(use_true_random=False))
def test_whatever_the_folders_no_content_is_lost(tree, target, pair, rng):
    giving, taking = pair
    tree = consistent(tree, target)
    try:
        moves = merged(tree, giving, taking, target=target)
    except (InvalidError, MissingError):
        return
    assert moves.equals(
        merged(tree, giving, taking, target=target, rng=random.Random(rng.random()))
    )
    rows = to_rows(moves, Move)
    live = dict(tree)
    trash = apply(moves, live, live, target)
    before = Counter(item.content for item in tree.values())
    assert Counter(item.content for item in [*live.values(), *trash]) == before
    goes = {row.source_key for row in rows if row.action in {Action.MOVE, Action.TRASH}}
    assert all(live[key] is item for key, item in tree.items() if key not in goes)
    assert all(key.startswith(f"{giving}/") for key in goes)
    assert {item.content for item in trash} <= {item.content for item in live.values()}
    totals = merge_totals(rows, problems=0)
    assert (
        totals.files_total
        == len(rows)
        == totals.moves + totals.trashes + (totals.skips + totals.refusals)
    )
    units = [row.unit_id for row in rows]
    assert len({*units}) == sum(one != two for one, two in zip(units, [None, *units], strict=False))
