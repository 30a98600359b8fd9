"""P7: one byte flipped in each of 1,000 objects, with the time put back: all of them are found."""

import os
import random

import pytest
from apply_world import make_tree

from models.domain.errors import MissingError
from models.domain.fingerprint import Fingerprint
from storage.local import LocalStore
from storage.opening import open_store
from tasks.verify.core import counted, verified


def recorded(store):
    return [
        Fingerprint(
            key=row.key,
            size_bytes=row.size_bytes,
            modified_ns=row.modified_ns,
            version=row.version,
            sha256=store.hash(row.key).sha256,
        )
        for page in store.list_pages()
        for row in page.rows
    ]


def flip(path, rng):
    """Change one bit, as a disk does: neither size nor modification time tell."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_every_flipped_byte_is_found_and_nothing_else(tmp_path):
    rng = random.Random(7)
    tree = {f"{n % 10}/{n}.bin": rng.randbytes(rng.randrange(1, 3000)) for n in range(1100)}
    root = make_tree(tmp_path / "root", tree)
    with LocalStore(root, url=f"file://{root}") as store:
        rows = recorded(store)
        flipped = set(sorted(tree)[:1000])
        for key in flipped:
            flip(root / key, rng)
        found = verified(store, rows, threads=2)
    assert {row.key for row in found if row.verdict == "rotten"} == flipped
    assert counted(found)["intact"] == 100
    assert [row.key for row in found] == sorted(tree)


def test_an_edit_is_no_rot_and_what_is_gone_or_unreadable_is_said(tmp_path):
    keys = ["edited.txt", "fine.txt", "gone.txt", "longer.txt"]
    root = make_tree(tmp_path / "root", dict.fromkeys(keys, "content"))
    with LocalStore(root, url=f"file://{root}") as store:
        rows = recorded(store)
        (root / "edited.txt").write_text("CONTENT")
        flip_time = (root / "longer.txt").stat().st_mtime_ns
        (root / "longer.txt").write_text("content and more")
        os.utime(root / "longer.txt", ns=(flip_time, flip_time))
        (root / "gone.txt").unlink()
        (root / "gone.txt").symlink_to("fine.txt")
        found = {row.key: row for row in verified(store, rows, threads=1)}
    assert found["edited.txt"].verdict == found["longer.txt"].verdict == "edited"
    assert found["fine.txt"].verdict == "intact"
    assert found["gone.txt"].verdict == "missing"
    assert counted(found.values()) == {
        "intact": 1,
        "rotten": 0,
        "edited": 2,
        "missing": 1,
        "unreadable": 0,
    }


def test_files_that_were_never_read_are_left_out(tmp_path):
    root = make_tree(tmp_path / "root", {"a.txt": "a"})
    with LocalStore(root, url=f"file://{root}") as store:
        row = store.stat("a.txt")
        unread = Fingerprint(key="a.txt", size_bytes=1, modified_ns=0, version=row.version)
        assert verified(store, [unread], threads=1) == []


def test_a_vanished_root_is_an_error_and_not_a_thousand_missing_files(tmp_path):
    store = open_store(str(tmp_path / "nowhere"))
    with pytest.raises(MissingError):
        verified(store, [], threads=1)
