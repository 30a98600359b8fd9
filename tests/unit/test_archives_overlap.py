"""Which archives are unpacked elsewhere: by content, all of it or not, and where."""

import hashlib
import random

from plan_trees import tables

from models.domain.archives import ArchiveContent, Listing, Member, MemberProblem
from tasks.dedupe.archives import (
    archive_members,
    archive_overlap,
    compared_contents,
    in_order,
    keys_by_content,
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def listing(problem=None, **members):
    """A listing of texts; None for what was not read."""
    rows = [
        Member(path=path, size_bytes=len(text), sha256=digest(text))
        if text is not None
        else Member(path=path, size_bytes=9, problem=MemberProblem.ENCRYPTED.because("locked"))
        for path, text in sorted(members.items())
    ]
    return Listing(members=tuple(rows), problem=problem)


ARCHIVE = ArchiveContent(
    sha256=digest("archive"), key="old/backup.zip", label="zip", size_bytes=7, version="v"
)


def overlap(tree, found, archive=ARCHIVE):
    tree = {**tree, archive.key: "archive"}
    wanted = compared_contents(found) | {archive.sha256}
    keys = keys_by_content(tables(tree, random.Random(1))[0], wanted)
    row = archive_overlap(archive, found, keys)
    return row, {
        each.path: each.found_key for each in archive_members(archive, found, keys, row.folder)
    }


def test_all_of_an_archive_lies_in_one_folder():
    tree = {"Photos/2019/x": "1", "Photos/2019/deep/y": "2", "Photos/z": "3", "other/x": "1"}
    row, where = overlap(tree, listing(a="1", b="2"))
    assert row.in_words() == "backup.zip: 2 of 2 files, byte for byte, are in Photos/2019"
    assert (row.unpacked, row.folder, row.only_files) == ("wholly", "Photos/2019", 0)
    assert where == {"a": "Photos/2019/x", "b": "Photos/2019/deep/y"}


def test_what_is_only_in_the_archive_is_told():
    row, where = overlap({"p/x": "1", "p/y": "2"}, listing(a="1", b="2", c="33"))
    assert (
        row.in_words() == "backup.zip: 2 of 3 files, byte for byte, are in p; 1 only in the archive"
    )
    assert (row.unpacked, row.only_bytes, where["c"]) == ("mostly", 2, None)
    row, _ = overlap({"p/x": "1"}, listing(a="1", b="2", c="33"))
    assert row.unpacked == "partly"
    row, _ = overlap({"p/x": "9"}, listing(a="1"))
    assert row.unpacked == "not"
    assert row.in_words().startswith(
        "backup.zip: 0 of 1 files, byte for byte, are elsewhere; 1 only"
    )


def test_members_scattered_over_the_root_are_elsewhere():
    row, _ = overlap({"x": "1", "q/y": "2", "r/z": "3"}, listing(a="1", b="2", c="3"))
    assert (row.unpacked, row.folder_files) == ("wholly", 1)
    assert row.in_words().endswith("are elsewhere (1 in q)")
    row, _ = overlap({"x": "1"}, listing(a="1"))
    assert row.in_words() == "backup.zip: 1 of 1 files, byte for byte, are elsewhere"


def test_nothing_is_wholly_unpacked_that_was_not_wholly_read():
    row, _ = overlap({"p/x": "1"}, listing(a="1", b=None))
    assert (row.unpacked, row.unread_files, row.encrypted_files) == ("mostly", 1, 1)
    assert row.in_words().endswith("are in p; 1 encrypted")
    row, _ = overlap({"p/x": "1"}, listing("limited: too much", a="1"))
    assert row.unpacked == "mostly"
    assert row.in_words().endswith("limited: too much")
    row, _ = overlap({}, listing("corrupt: damaged"))
    assert (row.unpacked, row.in_words()) == ("unknown", "backup.zip: corrupt: damaged")


def test_empty_members_and_links_are_counted_apart():
    link = Member(path="l", size_bytes=0, problem=MemberProblem.LINK.because("symbolic"))
    found = listing(a="1", e="")
    row, where = overlap({"p/x": "1", "p/e": ""}, Listing(members=(*found.members, link)))
    assert (row.unpacked, row.files, row.other_members) == ("wholly", 1, 2)
    assert where["e"] is None


def test_an_archive_is_not_its_own_copy():
    row, _ = overlap({"copy.zip": "archive"}, listing(itself="archive"))
    assert (row.copies, row.found_files) == (1, 0)


def test_the_smallest_folder_is_named_and_the_order_is_by_how_much():
    tree = {"a/b/c/x": "1", "a/b/c/y": "2", "d/x": "1", "d/y": "2"}
    row, _ = overlap(tree, listing(a="1", b="2"))
    assert row.folder == "d"
    rows = [
        overlap(tree, found)[0]
        for found in (listing(a="9"), listing("x"), listing(a="1"), listing(a="1", b="8", c="7"))
    ]
    assert [row.unpacked for row in in_order(rows)] == ["wholly", "partly", "not", "unknown"]
