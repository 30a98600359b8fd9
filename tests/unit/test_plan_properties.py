"""Whatever the files: nothing is lost, nothing overwritten, and a second run writes nothing."""

import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_trees import OUT, Item, apply, plan, writing

from models.domain.jobs import OrganizeOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.plans import WRITING, Action, Move
from models.domain.targets import Target
from warehouse.schemas.arrow import to_rows

FOLDERS = ["", "a", "b/c", "Photos", "Photos/2020", "Work/2020", "proj", "proj/src", "x"]
NAMES = [
    "IMG_1.jpg", "IMG_1.JPG", "img_1.jpg", "IMG_1.CR2", "IMG_1.xmp", "IMG_1.mov", "IMG_1 (2).jpg",
    "IMG_1.jpg.xmp", "a", "a.txt", "A.txt", "é.txt", "e\u0301.txt", "Photos", "Work", "x", "x (2)",
    "CON.txt", "bad\n.txt", "0001.txt", "2020-a.txt", "package.json", "p.srt", ".hidden", "t.mp3",
]  # fmt: skip
KEYS = st.builds(
    lambda folder, name: f"{folder}/{name}" if folder else name,
    st.sampled_from(FOLDERS),
    st.sampled_from(NAMES),
)
ITEMS = st.builds(
    Item,
    content=st.sampled_from(["", "1", "2", "33", "444", "5555", "66666"]),
    modified_ns=st.sampled_from([0, 10**18, 1_577_836_800 * 10**9, 16 * 10**17]),
    captured_at=st.sampled_from([None, "2020-01-01T08:00:00", "2019-12-31T23:59:59"]),
    title=st.sampled_from([None, "Song", "song", "../up", "a/b"]),
)
MODES = st.sampled_from(
    [
        ("category_year", None),
        ("flatten", None),
        ("mirror", None),
        ("extension", None),
        ("event", None),
        ("music", None),
        ("project", None),
        ("custom", "{year}/{counter}{ext}"),
        ("custom", "{year}-{stem}{ext}"),
        ("custom", "{category}/{folder}/{stem}{ext}"),
        ("custom", "{stem}/{stem} copy{ext}"),
        ("custom", "{title}/{title}{ext}"),
    ]
)
OPTIONS = st.builds(
    lambda mode, duplicate, conflict, protected, preferred: OrganizeOptions(
        mode=mode[0],
        template=mode[1],
        on_duplicate=duplicate,
        conflict=conflict,
        protected=protected,
        preferred=preferred,
    ),
    MODES,
    st.sampled_from(OnDuplicate),
    st.sampled_from([policy for policy in ConflictPolicy if policy is not ConflictPolicy.FAIL]),
    st.sampled_from([(), (), ("b",), ("x", "Photos")]),
    st.sampled_from([(), ("b/c", "a")]),
)
TARGETS = st.sampled_from(
    [Target(), Target(folds_case=True, normalizes_unicode=True), Target(normalizes_unicode=True)]
)


def consistent(tree, target):
    """Drop what one disk could not hold: a file where a folder is, two names it takes for one."""
    kept = {}
    seen = set()
    for key in sorted(tree):
        name = target.key()(key)
        above = {name[:n] for n, c in enumerate(name) if c == "/"}
        below = any(other.startswith(f"{name}/") for other in seen)
        if name in seen or above & seen or below:
            continue
        seen.add(name)
        kept[key] = tree[key]
    return kept


TREES = st.dictionaries(KEYS, ITEMS, max_size=12)
SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def contents(*trees):
    return sorted(item.content for tree in trees for item in tree)


@SLOW
@given(TREES, OPTIONS, TARGETS)
def test_second_run_in_place_writes_nothing_and_no_content_is_lost(tree, options, target):
    tree = consistent(tree, target)
    before = dict(tree)
    moves = plan(tree, options, target=target)
    trash = apply(moves, tree, tree, target)
    assert contents(tree.values(), trash) == contents(before.values())
    distinct = {item.content for item in before.values()}
    if options.conflict not in {
        ConflictPolicy.REPLACE_TO_TRASH, ConflictPolicy.KEEP_NEWER, ConflictPolicy.KEEP_LARGER
    }:  # fmt: skip
        assert {item.content for item in tree.values()} == distinct
    again = plan(tree, options, target=target)
    assert writing(again) == []


@SLOW
@given(TREES, TREES, OPTIONS, TARGETS, st.sampled_from(OperationType))
def test_second_run_into_another_place_writes_nothing(tree, there, options, target, operation):
    options = replace(options, operation=operation)
    there = consistent(there, target)
    before = [*tree.values(), *there.values()]
    moves = plan(tree, options, target=target, existing=there, destination=OUT)
    is_copy = operation is OperationType.COPY
    source = dict(tree)
    trash = apply(moves, tree, there, target)
    if is_copy:
        assert tree == source
        assert {item.content for item in before} <= set(
            contents(tree.values(), there.values(), trash)
        )
    else:
        assert contents(tree.values(), there.values(), trash) == sorted(
            item.content for item in before
        )
    again = plan(tree, options, target=target, existing=there, destination=OUT)
    assert writing(again) == []


@SLOW
@given(TREES, OPTIONS)
def test_copying_in_place_twice_writes_nothing_more(tree, options):
    options = replace(options, operation=OperationType.COPY)
    tree = consistent(tree, Target())
    before = dict(tree)
    apply(plan(tree, options), tree, tree, Target())
    assert before.items() <= tree.items()
    assert writing(plan(tree, options)) == []


@SLOW
@given(TREES, OPTIONS, TARGETS, st.integers())
def test_order_of_input_never_matters(tree, options, target, seed):
    tree = consistent(tree, target)
    one = plan(tree, options, target=target)
    other = plan(tree, options, target=target, rng=random.Random(seed))
    assert one.equals(other)


@SLOW
@given(TREES, OPTIONS, TARGETS)
def test_every_file_has_one_row_and_units_are_together(tree, options, target):
    moves = to_rows(plan(tree, options, target=target), Move)
    assert sorted(move.source_key for move in moves) == sorted(tree)
    assert [move.seq for move in moves] == list(range(len(tree)))
    seen: list[str] = []
    for move in moves:
        if not seen or seen[-1] != move.unit_id:
            seen.append(move.unit_id)
    gone = [move for move in moves if move.action == Action.DISPLACE]
    assert len(seen) == len(set(seen)) or gone
    for move in moves:
        assert move.reason
        inside = any(
            move.source_key == p or move.source_key.startswith(f"{p}/") for p in options.protected
        )
        if inside:
            assert Action(move.action) not in WRITING
