"""Folder overlap."""

import random

from tasks.dedupe.folders import Relation, folder_overlaps


def tree(**folders: str) -> list[tuple[str, str, int]]:
    """Return files: one for each letter, whose content is the letter."""
    return [
        (f"{folder.replace('__', '/')}/{n}.bin", letter, 10)
        for folder, letters in folders.items()
        for n, letter in enumerate(letters)
    ]


def told(files, **options):
    return [
        (row.folder, row.other, row.relation.value, row.shared_files, row.only_files)
        for row in folder_overlaps(files, **options)
    ]


def test_equal_trees_are_told_once_by_their_roots():
    files = tree(a="xy", a__sub="pq", copy__of__a="xy", copy__of__a__sub="pq")
    assert told(files) == [("copy", "a", "equal", 4, 0)]


def test_contained_and_mostly_contained_folders_say_what_is_only_there():
    files = tree(a="abcdef", b="abc", c="abcdz")
    assert told(files) == [
        ("c", "a", "overlaps", 4, 1),
        ("a", "c", "overlaps", 4, 2),
        ("b", "c", "contained", 3, 0),
    ]
    assert told(files, least_share=0.9) == [("b", "c", "contained", 3, 0)]


def test_an_overlap_is_told_in_a_sentence():
    overlaps = folder_overlaps(tree(a="abcdef", b="abc", c="abcdz", d="uv", e="uv"))
    assert [row.in_words() for row in overlaps] == [
        "80 % of c is in a; 1 file is only in c",
        "66 % of a is in c; 2 files are only in a",
        "100 % of b is in c",
        "e and d have the same files",
    ]


def test_the_smallest_folder_that_has_everything_is_named():
    files = tree(old="ab", new__deep="ab", new="cde")
    assert told(files, least_share=0.9)[0][:3] == ("new/deep", "old", "equal")


def test_a_folder_is_not_in_the_one_that_holds_it():
    assert told(tree(a="ab", a__b="ab")) == []


def test_contents_are_matched_as_often_as_they_are_there():
    overlaps = told(tree(a="xxx", b="xy"), least_share=0.1)
    assert ("a", "b", "overlaps", 1, 2) in overlaps


def test_empty_files_and_single_files_say_nothing():
    files = [("a/1", "e", 0), ("a/2", "e", 0), ("b/1", "e", 0), ("b/2", "e", 0)]
    assert folder_overlaps(files) == []
    assert told(tree(a="x", b="x")) == []


def test_the_order_of_files_does_not_matter():
    files = tree(a="abcdef", b="abc", c="abcdz", d__e="abc", d="zf")
    shuffled = list(files)
    random.Random(3).shuffle(shuffled)
    assert folder_overlaps(files) == folder_overlaps(shuffled)
    assert all(0 < row.share <= 1 for row in folder_overlaps(files))
    assert {row.relation for row in folder_overlaps(files)} <= set(Relation)
