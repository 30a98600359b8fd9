"""Exact groups: equal to the truth, one keeper each, fast on a million rows."""

import csv
import random
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_trees import NOON, SOURCE, Item, tables

from models.domain.duplicates import DEFAULT_KEEP_RULES, DuplicateRow, KeepRule
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions
from tasks.dedupe.core import exact_groups
from warehouse.schemas.arrow import to_rows, to_table

TRUTH = Path(__file__).parents[2].parent / "shared" / "data" / "truth.csv"
URLS = {"source_url": SOURCE, "destination_url": SOURCE}


def groups(tree, **options):
    files, categories = tables(tree)
    found = exact_groups(files, categories, options=OrganizeOptions(**options), **URLS)
    return to_rows(found, DuplicateRow)


def keeper(tree, **options):
    (found,) = [row for row in groups(tree, **options) if row.is_keeper]
    return found.key, found.keep_reason


@pytest.mark.skipif(not TRUTH.exists(), reason="the shared sample collection is not here")
def test_groups_equal_those_of_the_truth():
    with TRUTH.open(newline="") as file:
        truth = list(csv.DictReader(file))
    rows = [
        Fingerprint(
            key=line["path"],
            size_bytes=int(line["bytes"]),
            modified_ns=NOON,
            version="1",
            sha256=line["sha256"],
        )
        for line in truth
    ]
    expected = defaultdict(set)
    for line in truth:
        if line["dup_group"]:
            expected[line["dup_group"]].add(line["path"])
    found = defaultdict(set)
    answer = to_rows(exact_groups(to_table(rows, Fingerprint)), DuplicateRow)
    for row in answer:
        found[row.group_id].add(row.key)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected.values()))
    assert sum(row.is_keeper for row in answer) == len(expected)
    wasted = sum(row.wasted_bytes for row in answer)
    sizes = {line["path"]: int(line["bytes"]) for line in truth}
    assert wasted == sum(sizes[next(iter(group))] * (len(group) - 1) for group in expected.values())


@pytest.mark.parametrize(
    ("tree", "options", "expected"),
    [
        (
            {"b/long name.txt": Item(modified_ns=NOON), "a.txt": Item(modified_ns=NOON + 1)},
            {},
            ("b/long name.txt", "oldest"),
        ),
        (
            {"b/long name.txt": Item(modified_ns=NOON), "a.txt": Item(modified_ns=NOON + 1)},
            {"keep_rules": (KeepRule.NEWEST,)},
            ("a.txt", "newest"),
        ),
        (
            {"bb.txt": Item(), "a.txt": Item()},
            {},
            ("a.txt", "shortest path"),
        ),
        (
            {"b.txt": Item(), "a.txt": Item()},
            {},
            ("a.txt", "first by path; the members are equal otherwise"),
        ),
        (
            {"a.txt": Item(), "keep/me/here.txt": Item(modified_ns=NOON + 9)},
            {"protected": ("keep",)},
            ("keep/me/here.txt", "in a protected folder"),
        ),
        (
            {"a.txt": Item(), "two/x.txt": Item(), "one/x.txt": Item()},
            {"preferred": ("one", "two")},
            ("one/x.txt", "in a preferred folder"),
        ),
        (
            {"a.txt": Item(), "b.txt": Item(facts={"title": "t", "artist": "a"})},
            {},
            ("b.txt", "highest quality"),
        ),
        (
            {"a.txt": Item(), "b.txt": Item(facts={"width": 10, "height": 10})},
            {},
            ("b.txt", "highest quality"),
        ),
        (
            {"a.txt": Item(category="Work"), "Work/2020/zz.txt": Item(category="Work")},
            {},
            ("Work/2020/zz.txt", "already in its place"),
        ),
        (
            {"p/package.json": Item("{}"), "p/a.txt": Item(), "zzzzz.txt": Item()},
            {},
            ("zzzzz.txt", "not part of a project or of companions"),
        ),
    ],
)
def test_keep_rules(tree, options, expected):
    assert keeper(tree, **options) == expected


def test_capture_time_counts_before_modification_time():
    tree = {
        "a.jpg": Item(modified_ns=NOON, captured_at="2019-01-01T00:00:00"),
        "b.jpg": Item(modified_ns=NOON + 1, captured_at="2018-01-01T00:00:00"),
    }
    assert keeper(tree) == ("b.jpg", "oldest")
    assert keeper(tree, keep_rules=(KeepRule.NEWEST,)) == ("a.jpg", "newest")


def test_rules_apply_in_the_order_asked_for():
    tree = {
        "pref/long.txt": Item(modified_ns=NOON + 5),
        "old long.txt": Item(modified_ns=NOON),
        "s.txt": Item(modified_ns=NOON + 3),
    }
    first = {rule: (rule, *DEFAULT_KEEP_RULES) for rule in KeepRule}
    chosen = {
        rule: keeper(tree, keep_rules=rules, preferred=("pref",))[0]
        for rule, rules in first.items()
    }
    assert chosen[KeepRule.PREFERRED] == "pref/long.txt"
    assert chosen[KeepRule.OLDEST] == "old long.txt"
    assert chosen[KeepRule.NEWEST] == "pref/long.txt"
    assert chosen[KeepRule.SHORTEST_PATH] == "s.txt"


def test_what_may_not_be_removed():
    tree = {
        "a.txt": Item(),
        "b.txt": Item(facts={"problem": "truncated"}),
        "loose.txt": Item(),
        "p/package.json": Item("{}"),
        "p/c.txt": Item(),
        "I.cr2": Item(),
        "I.jpg": Item("other"),
    }
    removable = {row.key: row.is_removable for row in groups(tree)}
    assert removable == {
        "a.txt": False,
        "b.txt": False,
        "loose.txt": True,
        "p/c.txt": False,
        "I.cr2": False,
    }


def test_unreadable_files_are_in_no_group():
    tree = {"a.txt": Item(facts={"sha256": None}), "b.txt": Item(facts={"sha256": None})}
    assert groups(tree) == []


TREES = st.dictionaries(
    st.sampled_from([f"{folder}{name}" for folder in ("", "a/", "b/c/") for name in "wxyz"]),
    st.builds(Item, content=st.sampled_from(["", "1", "2", "3"]), modified_ns=st.integers(1, 3)),
)


@settings(max_examples=100, deadline=None)
@given(TREES, st.randoms(use_true_random=False), st.permutations(list(KeepRule)))
def test_groups_are_a_partition_with_one_keeper_and_exact_waste(tree, rng, rules):
    options = OrganizeOptions(keep_rules=tuple(rules))
    files, categories = tables(tree, rng)
    found = exact_groups(files, categories, options=options, **URLS)
    again = exact_groups(*tables(tree), options=options, **URLS)
    assert found.equals(again)
    members = defaultdict(list)
    for row in to_rows(found, DuplicateRow):
        members[row.group_id].append(row)
    expected = defaultdict(set)
    for key, item in tree.items():
        if item.content:
            expected[item.sha256].add(key)
    assert {group: {row.key for row in rows} for group, rows in members.items()} == {
        sha256: keys for sha256, keys in expected.items() if len(keys) > 1
    }
    for rows in members.values():
        assert sum(row.is_keeper for row in rows) == 1
        assert sum(row.wasted_bytes for row in rows) == rows[0].size_bytes * (len(rows) - 1)
        assert not any(row.is_removable for row in rows if row.is_keeper)
        assert sum(row.is_removable for row in rows) < len(rows)


def test_a_hundred_thousand_rows_take_seconds():
    rng = random.Random(1)
    count = 100_000
    contents = [rng.randrange(count) for _ in range(count)]
    rows = [
        Fingerprint(
            key=f"in/{n % 100}/IMG_{n}.jpg",
            size_bytes=1 + content,
            modified_ns=NOON,
            version="1",
            sha256=f"{content:064x}",
        )
        for n, content in enumerate(contents)
    ]
    table = to_table(rows, Fingerprint)
    began = time.process_time()
    found = exact_groups(table, source_url=SOURCE, destination_url="file:///out")
    assert time.process_time() - began < 30
    counts = Counter(contents).values()
    assert found.num_rows == sum(count for count in counts if count > 1)
