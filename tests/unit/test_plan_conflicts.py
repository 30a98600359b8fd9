"""Every conflict policy against what is there, within the batch, and for what never gives way."""

import pytest
from plan_trees import NOON, OUT, Item, outcome, plan, rows, writing

from models.domain.errors import ConflictError
from models.domain.organizing import ConflictPolicy
from models.domain.targets import Target

NEW = Item("new content", modified_ns=NOON + 10, category="Work")
OLD = Item("old", modified_ns=NOON, category="Work")
THERE = {"Work/a.txt": OLD}
MODE = {"mode": "category", "destination": OUT}

AGAINST_WHAT_IS_THERE = {
    "skip": ({"Work/a.txt": "old"}, [], {"in/a.txt": "new content"}),
    "skip_identical": ({"Work/a.txt": "old", "Work/a (2).txt": "new content"}, [], {}),
    "rename_new": ({"Work/a.txt": "old", "Work/a (2).txt": "new content"}, [], {}),
    "rename_existing": ({"Work/a.txt": "new content", "Work/a (2).txt": "old"}, [], {}),
    "keep_newer": ({"Work/a.txt": "new content"}, ["old"], {}),
    "keep_larger": ({"Work/a.txt": "new content"}, ["old"], {}),
    "replace_to_trash": ({"Work/a.txt": "new content"}, ["old"], {}),
}


@pytest.mark.parametrize("policy", sorted(AGAINST_WHAT_IS_THERE))
def test_policy_against_another_file_elsewhere(policy):
    found = outcome({"in/a.txt": NEW}, existing=THERE, conflict=policy, **MODE)
    assert found == AGAINST_WHAT_IS_THERE[policy]


@pytest.mark.parametrize("policy", sorted(AGAINST_WHAT_IS_THERE))
def test_policy_against_a_file_in_its_place_in_one_tree(policy):
    tree, trash, _ = outcome({"in/a.txt": NEW, **THERE}, mode="category", conflict=policy)
    there, removed, left = AGAINST_WHAT_IS_THERE[policy]
    assert tree == there | left
    assert trash == removed


def test_every_policy_is_tested():
    assert {*AGAINST_WHAT_IS_THERE, "fail"} == set(ConflictPolicy)


@pytest.mark.parametrize("policy", ["keep_newer", "keep_larger"])
def test_what_is_older_and_smaller_stays(policy):
    worse = Item("n", modified_ns=NOON - 1, category="Work")
    there, trash, left = outcome({"in/a.txt": worse}, existing=THERE, conflict=policy, **MODE)
    assert (there, trash, left) == ({"Work/a.txt": "old"}, [], {"in/a.txt": "n"})
    equal = Item("alt", modified_ns=NOON, category="Work")
    _, trash, left = outcome({"in/a.txt": equal}, existing=THERE, conflict=policy, **MODE)
    assert (trash, left) == ([], {"in/a.txt": "alt"})


def test_fail_plans_nothing_when_anything_collides():
    tree = {"in/a.txt": NEW, "in/b.txt": Item("b", category="Work")}
    with pytest.raises(ConflictError, match="1 files find their place taken"):
        plan(tree, existing=THERE, conflict="fail", **MODE)
    with pytest.raises(ConflictError):
        plan({"x/a.txt": NEW, "y/a.txt": OLD}, conflict="fail", **MODE)
    assert len(writing(plan(tree, existing={}, conflict="fail", **MODE))) == 2


BATCH = {
    "x/a.txt": Item("first", modified_ns=NOON, category="Work"),
    "y/a.txt": Item("the largest", modified_ns=NOON - 5, category="Work"),
    "z/a.txt": Item("newest", modified_ns=NOON + 5, category="Work"),
}
NUMBERED = {
    "Work/a.txt": "first",
    "Work/a (2).txt": "the largest",
    "Work/a (3).txt": "newest",
}
WITHIN = {
    "skip": {"Work/a.txt": "first"},
    "skip_identical": NUMBERED,
    "rename_new": NUMBERED,
    "rename_existing": NUMBERED,
    "replace_to_trash": NUMBERED,
    "keep_newer": {"Work/a.txt": "newest"},
    "keep_larger": {"Work/a.txt": "the largest"},
}


@pytest.mark.parametrize("policy", sorted(WITHIN))
def test_policy_within_the_batch_never_trashes_a_source(policy):
    there, trash, left = outcome(BATCH, conflict=policy, **MODE)
    assert there == WITHIN[policy]
    assert trash == []
    everything = sorted({**there, **left}.values())
    assert everything == sorted(item.content for item in BATCH.values())


def test_skip_identical_skips_what_is_identical_under_any_number():
    there = {"Work/a.txt": OLD, "Work/a (2).txt": NEW}
    found = outcome(
        {"in/a.txt": NEW}, existing=there, conflict="skip_identical", on_duplicate="keep", **MODE
    )
    assert found[0] == {"Work/a.txt": "old", "Work/a (2).txt": "new content"}
    assert found[2] == {"in/a.txt": "new content"}
    twins = {"x/a.txt": NEW, "y/a.txt": NEW}
    found = outcome(twins, conflict="skip_identical", on_duplicate="keep", **MODE)
    assert found[0] == {"Work/a.txt": "new content"}


@pytest.mark.parametrize("policy", ["rename_existing", "replace_to_trash"])
def test_what_belongs_with_others_never_gives_way(policy):
    pair = {"Photos/I.jpg": Item("jpg"), "Photos/I.cr2": Item("raw", category="Photos")}
    there, trash, _ = outcome({"in/I.jpg": Item("new")}, existing=pair, conflict=policy, **MODE)
    assert there == {"Photos/I.jpg": "jpg", "Photos/I.cr2": "raw", "Photos/I (2).jpg": "new"}
    assert trash == []


@pytest.mark.parametrize("policy", ["keep_newer", "replace_to_trash", "rename_existing"])
def test_a_protected_file_never_gives_way(policy):
    tree = {"in/a.txt": NEW, **THERE}
    options = {"mode": "category", "conflict": policy, "protected": ("Work",)}
    after, trash, _ = outcome(tree, **options)
    assert after["Work/a.txt"] == "old"
    assert trash == []
    assert writing(plan(after_items(after, tree), **options)) == []


def after_items(after, tree):
    facts = {item.content: item for item in tree.values()}
    return {key: facts[content] for key, content in after.items()}


@pytest.mark.parametrize("policy", ["keep_newer", "replace_to_trash"])
def test_a_keeper_whose_copies_are_removed_never_gives_way(policy):
    tree = {"in/a.txt": NEW, **THERE, "in/copy.txt": OLD}
    after, trash, _ = outcome(tree, mode="category", conflict=policy, on_duplicate="trash")
    assert "old" in after.values()
    assert trash == ["old"]


def test_a_place_that_becomes_free_is_taken_in_order():
    misplaced = Item("m", captured_at="2019-05-05T00:00:00")
    tree = {"2020/2020-01-01/a.jpg": misplaced, "in/a.jpg": Item("n", captured_at="2020-01-01T")}
    for policy in ("rename_new", "skip", "replace_to_trash"):
        after, trash, _ = outcome(tree, mode="date_taken", conflict=policy)
        assert after == {"2019/2019-05-05/a.jpg": "m", "2020/2020-01-01/a.jpg": "n"}
        assert trash == []


def test_two_that_want_each_others_place_are_numbered():
    tree = {
        "2019/2019-01-01/a.jpg": Item("b", captured_at="2020-01-01T"),
        "2020/2020-01-01/a.jpg": Item("c", captured_at="2019-01-01T"),
    }
    after, _, _ = outcome(tree, mode="date_taken")
    assert after == {"2019/2019-01-01/a (2).jpg": "c", "2020/2020-01-01/a.jpg": "b"}


def test_a_folder_in_the_way_numbers_and_a_file_in_the_way_refuses():
    tree = {"in/x": Item("file", category="Work"), "x/y.txt": Item("y", category="Work")}
    after, _, _ = outcome(tree, mode="custom", template="{stem}{ext}", protected=("x",))
    assert after == {"x (2)": "file", "x/y.txt": "y"}
    blocked = rows(plan({"Work": Item("w", category="Work")}, mode="category"))
    assert blocked["Work"].action == "refuse"
    assert "a file stands where its folder would be" in blocked["Work"].reason


def test_names_that_are_no_files_are_taken():
    fingerprints = {"in/a.txt": NEW}
    from plan_trees import SOURCE, tables

    from models.domain.jobs import OrganizeOptions
    from tasks.dedupe.core import exact_groups
    from tasks.plan.core import make_moves

    files, categories = tables(fingerprints)
    moves = make_moves(
        files,
        categories,
        exact_groups(files),
        options=OrganizeOptions(mode="category", conflict=ConflictPolicy.REPLACE_TO_TRASH),
        source_url=SOURCE,
        destination_url=SOURCE,
        blocked=["Work/a.txt"],
    )
    assert rows(moves)["in/a.txt"].destination_key == "Work/a (2).txt"


def test_an_overlong_path_is_refused():
    deep = "/".join(["d" * 200] * 6)
    tree = {f"{deep}/a.txt": NEW}
    limited = Target(max_key_bytes=1024)
    row = rows(plan(tree, mode="mirror", destination=OUT, target=limited))[f"{deep}/a.txt"]
    assert (row.action, row.reason) == ("refuse", "its path at the destination would be too long")
    assert len(writing(plan(tree, mode="mirror", destination=OUT))) == 1


def test_strangers_never_become_companions():
    tree = {"x/I.jpg": Item("still"), "y/I.mov": Item("film", category="Photos")}
    after, _, _ = outcome(tree, mode="category")
    assert after == {"Photos/I.jpg": "still", "Photos/I (2).mov": "film"}


def test_what_gives_way_has_its_own_row_with_its_content():
    found = rows(plan({"in/a.txt": NEW}, existing=THERE, conflict="replace_to_trash", **MODE))
    row = found["displaced:Work/a.txt"]
    assert row.sha256 == OLD.sha256
    assert row.destination_key is None
    assert row.unit_id == found["in/a.txt"].unit_id
    assert row.seq == found["in/a.txt"].seq - 1
