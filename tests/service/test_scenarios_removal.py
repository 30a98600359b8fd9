"""Removing duplicates on real storage: proven, journaled, undone; scenarios 27 to 35."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from apply_world import CopyingStore, Crash, Steps, World, contents, debris
from scenario_worlds import Arena, Root, local_root, memory_root, s3_root

from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import OrganizeOptions, RemovalOptions
from models.domain.plans import Action, Move
from storage.local import LocalStore
from tasks.apply import trash
from tasks.dedupe.core import exact_groups
from tasks.plan.removal import removal_moves
from warehouse.schemas.arrow import to_rows, to_table

pytestmark = pytest.mark.service

NEAR = RemovalOptions(near=True, threshold=0.8)


@pytest.fixture(params=["local", "s3", "folding"])
def root(request, tmp_path):
    if request.param == "local":
        return local_root("in", tmp_path)
    if request.param == "s3":
        bucket, calls = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_calls")
        return s3_root("in", tmp_path, bucket, calls)
    return memory_root(tmp_path.name.replace("_", "-"), tmp_path, is_folding=True)


@pytest.fixture
def disk(tmp_path):
    return local_root("in", tmp_path)


def planned(root, alike=(), *, removal=None, **options) -> list[Move]:
    """Scan a root and plan a removal; `alike` are groups of keys, the keeper first."""
    scanned = root.scan()
    contents = {row.key: row for row in to_rows(scanned, Fingerprint)}
    near = [
        DuplicateRow(
            group_id=f"image-{contents[group[0]].sha256}",
            key=key,
            is_keeper=key == group[0],
            truth_class="perceptual",
            similarity_ratio=1.0 if key == group[0] else 0.93,
            size_bytes=contents[key].size_bytes,
            is_hardlink=False,
            wasted_bytes=0,
            keep_reason="highest quality",
        )
        for group in alike
        for key in group
    ]
    chosen = OrganizeOptions(removal=removal or (NEAR if alike else RemovalOptions()), **options)
    exact = exact_groups(scanned, options=chosen)
    moves = removal_moves(scanned, exact, to_table(near, DuplicateRow), options=chosen)
    return to_rows(moves, Move)


def removed(root, moves):
    """Approve and carry out a plan; return the arena and the job."""
    arena = Arena(root, root)
    job_id = arena.begin(moves)
    arena.work(job_id)
    return arena, job_id


def errors(arena, job_id):
    return {each.source_key: each.error for each in arena.journal.operations(job_id) if each.error}


TREE = {
    "keep/a.jpg": "a picture",
    "b.jpg": "a picture",
    "small/a.jpg": "a smaller picture",
    "small/copy.jpg": "a smaller picture",
    "other.jpg": "another one",
}
LIVE = {"keep/a.jpg": b"a picture", "other.jpg": b"another one"}


def test_duplicates_go_to_the_trash_with_their_proof_and_come_back(root):
    root.write(TREE)
    times = {key: root.store.stat(key).modified_ns for key in TREE}
    arena = Arena(root, root)
    before = arena.hashes()
    moves = planned(root, [("keep/a.jpg", "small/a.jpg")], preferred=("keep",))
    arena, job_id = removed(root, moves)
    assert root.tree() == LIVE
    assert arena.hashes() == before
    receipts = {each.source_key: each.receipt for each in arena.journal.operations(job_id)}
    kept = root.store.hash("keep/a.jpg")
    for key, truth, ratio in (
        ("b.jpg", "full_hash", 1.0),
        ("small/a.jpg", "perceptual", 0.93),
        ("small/copy.jpg", "perceptual", 0.93),
    ):
        receipt = receipts[key]
        assert receipt["truth_class"] == truth
        assert float(receipt["similarity_ratio"]) == ratio
        assert (receipt["kept_key"], receipt["kept_sha256"]) == ("keep/a.jpg", kept.sha256)
        assert receipt["kept_version"] == kept.version
        assert receipt["kept_size_bytes"] == "9"
        assert receipt["kept_read_at"] <= receipt["removed_at"]
        assert receipt["member_size_bytes"] == str(len(TREE[key]))
        assert ("threshold_ratio" in receipt) is (truth == "perceptual")
    assert receipts["b.jpg"]["member_sha256"] == kept.sha256
    assert receipts["small/a.jpg"]["member_sha256"] != kept.sha256
    undo_id = arena.undo(job_id)
    assert set(arena.states(undo_id)) == {"done"}
    assert root.tree() == {key: text.encode() for key, text in TREE.items()}
    assert {key: root.store.stat(key).modified_ns for key in TREE} == times
    assert root.trash() == {}


@pytest.mark.parametrize("change", ["keeper edited", "keeper gone", "member edited"])
def test_what_was_compared_has_to_be_there_byte_by_byte(root, change):
    root.write(TREE)
    moves = planned(root, [("keep/a.jpg", "small/a.jpg")], preferred=("keep",))
    if change == "keeper gone":
        root.remove("keep/a.jpg")
    else:
        key = "keep/a.jpg" if change == "keeper edited" else "small/a.jpg"
        root.write({key: TREE[key].replace("picture", "PICTURE")})
    before = root.tree()
    arena, job_id = removed(root, moves)
    if change == "member edited":
        assert root.tree() == {**LIVE, "small/a.jpg": b"a smaller PICTURE"}
        assert errors(arena, job_id).keys() == {"small/a.jpg"}
        return
    assert root.tree() == before
    assert set(arena.states(job_id)) == {"refused"}
    assert all("so this copy stays" in error for error in errors(arena, job_id).values())


def test_a_lookalike_in_the_trash_is_not_emptied_because_of_what_it_resembles(disk):
    """Emptying by job wants a living copy of the very bytes; only the owner's age goes further."""
    disk.write(TREE)
    moves = planned(disk, [("keep/a.jpg", "small/a.jpg")], preferred=("keep",))
    arena, job_id = removed(disk, moves)
    done = arena.journal.operations(job_id)
    wanted = [trash.of_job(trash.removal(each, consent=None), "purge") for each in done]
    arena.journal.begin("purge", wanted, [])
    arena.work("purge")
    states = {each.source_key.split("/", 3)[3]: each.state for each in wanted}
    states |= {
        each.source_key.split("/", 3)[3]: each.state for each in arena.journal.operations("purge")
    }
    assert states == {"b.jpg": "done", "small/a.jpg": "refused", "small/copy.jpg": "refused"}


def test_a_plan_whose_keepers_go_themselves_is_refused_when_it_is_journaled(root):
    """No plan of ours says so; the journal refuses it all the same."""
    root.write({"a.jpg": "A", "b.jpg": "B", "c.jpg": "C"})
    first = planned(root, [("a.jpg", "b.jpg")])
    second = planned(root, [("b.jpg", "c.jpg")])
    going = [move for move in (*first, *second) if move.action == Action.TRASH]
    moves = [move for move in going if move.source_key in {"b.jpg", "c.jpg"}]
    arena, job_id = removed(root, [replace(move, seq=n) for n, move in enumerate(moves)])
    assert arena.states(job_id) == ["done", "refused"]
    assert "is to go, too" in errors(arena, job_id)["c.jpg"]
    assert set(root.names()) == {"a.jpg", "c.jpg"}


class Interrupted:
    """Runs something in another job right before a root first deletes or renames a file."""

    def __init__(self, store, name, action):
        self.real, self.action = getattr(store, name), action
        setattr(store, name, self)

    def __call__(self, *args, **kwargs):
        action, self.action = self.action, None
        if action is not None:
            action()
        return self.real(*args, **kwargs)


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("kind", ["local", "s3"])
def test_two_jobs_that_each_keep_what_the_other_removes_leave_one(tmp_path, request, kind, alike):
    if kind == "local":
        root = local_root("in", tmp_path)
    else:
        bucket, calls = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_calls")
        root = s3_root("in", tmp_path, bucket, calls)
    root.write({"a.jpg": "same", "b.jpg": "alike" if alike else "same"})
    arena = Arena(root, root)
    before = arena.hashes()
    if alike:
        plans = [planned(root, [pair]) for pair in (("a.jpg", "b.jpg"), ("b.jpg", "a.jpg"))]
    else:
        plans = [
            arena.duplicates_to_trash("b.jpg", keeper="a.jpg"),
            arena.duplicates_to_trash("a.jpg", keeper="b.jpg"),
        ]
    one, other = (arena.begin(moves) for moves in plans)
    Interrupted(root.store, "rename" if kind == "local" else "delete", lambda: arena.work(other))
    arena.work(one)
    assert len(root.names()) >= 1
    assert arena.hashes() == before
    assert sorted(arena.states(one) + arena.states(other)) in (
        ["done", "refused"],
        ["refused", "refused"],
    )


@pytest.mark.scenario(27)
def test_scenario_27_hardlinks_waste_nothing_and_stay(disk):
    disk.write({"a.bin": "same", "c.bin": "same"})
    (disk.path / "b.bin").hardlink_to(disk.path / "a.bin")
    moves = planned(disk)
    _, _ = removed(disk, moves)
    assert disk.tree() == {"a.bin": b"same", "b.bin": b"same"}
    again = planned(disk)
    assert [move for move in again if move.action == Action.TRASH] == []


@pytest.mark.scenario(28)
def test_scenario_28_a_link_and_a_loop_are_no_further_copies(disk):
    disk.write({"deep/a.bin": "same"})
    (disk.path / "loop").symlink_to(disk.path, target_is_directory=True)
    (disk.path / "link.bin").symlink_to(disk.path / "deep/a.bin")
    assert planned(disk) == []
    assert disk.tree() == {"deep/a.bin": b"same"}


@pytest.mark.scenario(29)
def test_scenario_29_of_every_group_one_verified_file_stays(root):
    root.write({f"{n}.bin": "same" for n in range(4)} | {"x.jpg": "like", "y.jpg": "LIKE"})
    arena = Arena(root, root)
    before = arena.hashes()
    _, job_id = removed(root, planned(root, [("x.jpg", "y.jpg")]))
    assert sorted(root.tree().values()) == [b"like", b"same"]
    assert arena.hashes() == before
    assert job_id


@pytest.mark.scenario(30)
def test_scenario_30_one_different_byte_is_no_duplicate(root):
    root.write({"a.bin": b"x" * 99 + b"1" + b"x" * 99, "b.bin": b"x" * 199})
    assert planned(root) == []


@pytest.mark.scenario(31)
def test_scenario_31_package_markers_and_project_files_stay(root):
    tree = {
        "pkg/pyproject.toml": "[project]",
        "pkg/one/__init__.py": "",
        "pkg/two/__init__.py": "",
        "pkg/one/code.py": "x = 1",
        "pkg/two/code.py": "x = 1",
    }
    root.write(tree)
    removed(root, planned(root))
    assert root.tree() == {key: text.encode() for key, text in tree.items()}


@pytest.mark.scenario(32)
def test_scenario_32_what_resembles_a_member_but_not_the_keeper_stays(root):
    root.write({"a.jpg": "A", "b.jpg": "B", "c.jpg": "C"})
    removed(root, planned(root, [("a.jpg", "b.jpg")]))
    assert root.tree() == {"a.jpg": b"A", "c.jpg": b"C"}


@pytest.mark.scenario(34)
def test_scenario_34_a_tie_has_the_same_keeper_again_also_after_an_undo(root):
    root.write({"q/2.bin": "same", "q/1.bin": "same", "p/3.bin": "same"})
    first = planned(root)
    arena, job_id = removed(root, first)
    live = root.tree()
    arena.undo(job_id)
    second = planned(root)
    assert [(m.source_key, m.keeper_key) for m in first] == [
        (m.source_key, m.keeper_key) for m in second
    ]
    removed(root, second)
    assert root.tree() == live


@pytest.mark.scenario(35)
def test_scenario_35_everything_in_a_protected_folder_is_refused(root):
    tree = {"safe/a.jpg": "same", "safe/b.jpg": "same", "safe/c.jpg": "like"}
    root.write(tree)
    moves = planned(root, [("safe/a.jpg", "safe/c.jpg")], protected=("safe",))
    refused = {m.source_key: m.reason for m in moves if m.action == Action.REFUSE}
    assert refused == dict.fromkeys(["safe/b.jpg", "safe/c.jpg"], "in a protected folder")
    removed(root, moves)
    assert root.tree() == {key: text.encode() for key, text in tree.items()}


def take_keeper(store, key):
    """What a rival does right after a member's name went: the keeper goes, too."""
    if key == "b.jpg":
        Path(store.url.removeprefix("file://"), "a.jpg").unlink(missing_ok=True)


class RivalByCopy(CopyingStore):
    """A disk as object storage is, with a rival."""

    def delete(self, key, *, version):
        super().delete(key, version=version)
        take_keeper(self, key)


class RivalByRename(LocalStore):
    """A disk with a rival."""

    def rename(self, key, new_key, *, version):
        new = super().rename(key, new_key, version=version)
        take_keeper(self, key)
        return new


@pytest.mark.parametrize("kind", [RivalByCopy, RivalByRename])
def test_dead_before_any_step_the_member_is_back_when_its_keeper_went(tmp_path, kind):
    """Crash enumeration of bringing a member back, which no plan and no user of ours provokes."""
    for crash_before in itertools.count():
        world = World.make(tmp_path / f"{crash_before}", {"a.jpg": "A", "b.jpg": "B"}, kind=kind)
        store, _ = world.open()
        root = Root(store, tmp_path / f"{crash_before}")
        moves = planned(root, [("a.jpg", "b.jpg")])
        arena = Arena(root, root)
        job_id = arena.begin(moves)
        world.begin(arena.journal.operations(job_id), job_id)
        steps = Steps(crash_before)
        try:
            world.work(job_id, steps=steps)
        except Crash:
            world.work(job_id)
        # Dead after its copy in the trash was taken back: the copy "vanished", and nothing is lost.
        assert world.states(job_id) in (["refused"], ["failed"])
        assert contents(world.source_root) == {"b.jpg": b"B"}
        assert debris(world.source_root) == []
        if not steps.is_dead:
            assert crash_before > 5
            return
