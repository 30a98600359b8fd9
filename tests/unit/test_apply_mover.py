"""The mover on a real disk: preconditions, units, proofs, leases, folders, undo."""

import errno
import itertools
import os
from dataclasses import replace

import pytest
from apply_world import (
    OLD_NS,
    CopyingStore,
    Crash,
    Steps,
    World,
    contents,
    debris,
    facts,
    hashes,
    make_tree,
    operation,
)

from models.domain.errors import BusyError, ConflictError
from models.domain.operations import OperationState
from models.domain.plans import Action
from storage.local import LocalStore
from storage.syscalls import Syscalls
from tasks.apply import core, evidence, ranges
from tasks.apply.core import Mover
from tasks.apply.planned import KEEPER_AT, KEEPER_URL
from tasks.apply.ranges import possibly_ahead, whole_units
from tasks.apply.undo import undo_operations

MOVE, COPY, TRASH, DISPLACE = Action.MOVE, Action.COPY, Action.TRASH, Action.DISPLACE


@pytest.fixture(params=["renamed", "copied", "across", "apart"])
def make(request, tmp_path):
    def world(source, destination=None):
        kind = CopyingStore if request.param in {"copied", "apart"} else LocalStore
        if request.param in {"across", "apart"}:
            return World.make(tmp_path, source, destination or {}, kind=kind)
        return World.make(tmp_path, source | (destination or {}), kind=kind)

    return world


def plan(world, *specs):
    """Journal operations given as (action, source key, destination key, keywords)."""
    source, target = world.open()
    rows = [
        operation(seq, action, source, key, target, to, **(more[0] if more else {}))
        for seq, (action, key, to, *more) in enumerate(specs)
    ]
    world.begin(rows)
    return rows


def outcome(world, seq=0, job_id="job"):
    return world.journal.operations(job_id)[seq]


# Preconditions


def test_an_edit_after_the_plan_is_refused_also_with_equal_size_and_time(make):
    world = make({"a.txt": "before"})
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    path = world.source_root / "a.txt"
    path.write_text("edited")
    os.utime(path, ns=(OLD_NS + 5, OLD_NS + 5))
    world.work()
    assert world.states() == ["refused"]
    assert "changed after the plan" in outcome(world).error
    assert contents(world.source_root)["a.txt"] == b"edited"
    assert debris(*world.roots) == []


def test_another_version_of_the_same_content_is_read_and_moved(make):
    world = make({"a.txt": "same"})
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    path = world.source_root / "a.txt"
    path.chmod(0o600)  # a new ctime
    world.work()
    assert world.states() == ["done"]


def test_a_file_that_was_appended_to_is_deferred(make):
    world = make({"log.txt": "first line\n"})
    plan(world, (MOVE, "log.txt", "out/log.txt"))
    with (world.source_root / "log.txt").open("a") as growing:
        growing.write("second line\n")
        growing.flush()
        world.work()
    assert world.states() == ["deferred"]
    assert contents(world.source_root)["log.txt"] == b"first line\nsecond line\n"


def test_a_shorter_or_rewritten_file_is_refused(make):
    world = make({"a.txt": "long content", "b.txt": "content"})
    plan(world, (MOVE, "a.txt", "out/a.txt"), (MOVE, "b.txt", "out/b.txt"))
    (world.source_root / "a.txt").write_text("short")
    (world.source_root / "b.txt").write_text("other, and longer")
    world.work()
    assert world.states() == ["refused", "refused"]


def test_what_is_gone_is_refused_and_the_rest_goes_on(make):
    world = make({"a.txt": "a", "b.txt": "b"})
    plan(world, (MOVE, "a.txt", "out/a.txt"), (MOVE, "b.txt", "out/b.txt"))
    (world.source_root / "a.txt").unlink()
    world.work()
    assert world.states() == ["refused", "done"]
    assert outcome(world).error == "the source is gone"


def test_a_vanished_root_stops_the_job_instead_of_refusing_every_file(tmp_path):
    world = World.make(tmp_path, {"a.txt": "a"}, {})
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    world.source_root.rename(tmp_path / "unmounted")
    with pytest.raises(evidence.RootGoneError, match="mount it again"):
        world.work()
    assert world.states() == ["planned"]
    (tmp_path / "unmounted").rename(world.source_root)
    world.work()
    assert world.states() == ["done"]


def test_nothing_moves_onto_itself(make):
    world = make({"a.txt": "a"})
    source, _ = world.open()
    world.begin([operation(0, MOVE, source, "a.txt", source, "a.txt")])
    world.work()
    assert world.states() == ["refused"]
    assert contents(world.source_root)["a.txt"] == b"a"


def test_a_taken_destination_is_never_overwritten(make):
    world = make({"a.txt": "new"}, {"out/a.txt": "old", "out/b.txt": "new"})
    plan(world, (MOVE, "a.txt", "out/a.txt"), (COPY, "a.txt", "out/b.txt"))
    world.work()
    assert world.states() == ["refused", "refused"]
    assert contents(world.destination_root)["out/a.txt"] == b"old"
    assert contents(world.source_root)["a.txt"] == b"new"


def test_a_copy_leaves_its_source_byte_identical_with_times(make):
    world = make({"a.txt": "a"})
    before = facts(world.source_root)["a.txt"]
    plan(world, (COPY, "a.txt", "out/a.txt"))
    world.work()
    assert world.states() == ["done"]
    assert facts(world.source_root)["a.txt"] == before
    assert facts(world.destination_root)["out/a.txt"] == before


def test_catalog_only_operations_touch_nothing(make):
    world = make({"a.txt": "a"})
    before = facts(world.source_root)
    plan(world, (Action.ASSIGN, "a.txt", "Photos/2020/a.txt"))
    world.work()
    assert world.states() == ["done"]
    assert facts(world.source_root) == before


# Between copying and deleting


def after_copied(world, change):
    """Run a change right after the journal has heard of the copies."""
    record = world.journal.record

    def hooked(job_id, epoch, outcomes):
        record(job_id, epoch, outcomes)
        if any(each.state is OperationState.COPIED for each in outcomes):
            change()

    world.journal.record = hooked


def test_a_source_edited_after_it_was_copied_stays_and_the_copy_goes_to_the_trash(tmp_path):
    world = World.make(tmp_path, {"a.txt": "planned"}, {}, kind=CopyingStore)
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    after_copied(world, lambda: (world.source_root / "a.txt").write_text("edited!"))
    world.work()
    assert world.states() == ["refused"]
    assert contents(world.source_root) == {"a.txt": b"edited!"}
    trash = ".fileorganizer/trash/job/out/a.txt"
    assert contents(world.destination_root) == {trash: b"planned"}
    assert debris(*world.roots) == []


@pytest.mark.parametrize("what", ["removed", "edited"])
def test_a_destination_lost_after_copying_keeps_the_source(tmp_path, what):
    world = World.make(tmp_path, {"a.txt": "planned"}, {}, kind=CopyingStore)
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    copy = world.destination_root / "out/a.txt"
    after_copied(world, copy.unlink if what == "removed" else lambda: copy.write_text("edited!"))
    world.work()
    assert world.states() == ["failed"]
    assert "source was removed" in outcome(world).error
    assert contents(world.source_root) == {"a.txt": b"planned"}
    assert debris(*world.roots) == []


def test_a_keeper_lost_after_copying_brings_the_member_back(tmp_path):
    world = World.make(tmp_path, {"a.txt": "x", "b.txt": "x"}, kind=CopyingStore)
    plan(world, (TRASH, "b.txt", None, {"keeper": "a.txt"}))
    after_copied(world, (world.source_root / "a.txt").unlink)
    world.work()
    assert world.states() == ["refused"]
    assert contents(world.source_root) == {"b.txt": b"x"}


# Units


def test_one_bad_member_keeps_the_whole_unit(make):
    world = make({"p.cr3": "raw", "p.jpg": "jpeg", "p.xmp": "side", "q.txt": "q"})
    unit = {"unit": "p"}
    plan(
        world,
        (MOVE, "p.cr3", "out/p.cr3", unit),
        (MOVE, "p.jpg", "out/p.jpg", unit),
        (MOVE, "p.xmp", "out/p.xmp", unit),
        (MOVE, "q.txt", "out/q.txt"),
    )
    (world.source_root / "p.xmp").write_text("rated five stars")
    before = hashes(*world.roots)
    world.work()
    assert world.states() == ["refused", "refused", "refused", "done"]
    assert {"p.cr3", "p.jpg", "p.xmp"} <= contents(world.source_root).keys()
    assert hashes(*world.roots) == before
    assert debris(*world.roots) == []


def test_a_member_whose_place_is_taken_brings_the_others_back(make):
    world = make({"p.cr3": "raw", "p.jpg": "jpeg"}, {"out/p.jpg": "another"})
    before = [facts(root) for root in world.roots]
    plan(
        world,
        (MOVE, "p.cr3", "out/p.cr3", {"unit": "p"}),
        (MOVE, "p.jpg", "out/p.jpg", {"unit": "p"}),
    )
    world.work()
    assert world.states() == ["refused", "refused"]
    for root, was in zip(world.roots, before, strict=True):
        now = contents(root)
        assert now == {key: data for key, (_, _, data) in was.items() if key in now}


def test_a_displaced_file_never_gives_way_to_nobody(make):
    world = make({"a.txt": "new"}, {"out/a.txt": "old"})
    source, target = world.open()
    rows = [
        operation(0, DISPLACE, target, "out/a.txt", target, None),
        operation(1, MOVE, source, "a.txt", target, "out/a.txt"),
    ]
    world.begin(rows)
    (world.source_root / "a.txt").write_text("edited since")
    world.work()
    assert world.states() == ["refused", "refused"]
    assert contents(world.destination_root)["out/a.txt"] == b"old"


# Removals


def trash_world(make, **tree):
    world = make({"keep/a.bin": "same", "b.bin": "same", **tree})
    plan(world, (TRASH, "b.bin", None, {"keeper": "keep/a.bin"}))
    return world


def test_a_duplicate_goes_to_the_trash_with_a_receipt(make):
    world = trash_world(make)
    world.work()
    done = outcome(world)
    assert done.state is OperationState.DONE
    assert contents(world.source_root)[".fileorganizer/trash/job/b.bin"] == b"same"
    assert done.receipt["kept_key"] == "keep/a.bin"
    assert done.receipt["kept_sha256"] == done.receipt["member_sha256"] == done.sha256
    assert done.receipt["member_version"] == done.version
    assert done.receipt["kept_read_at"] <= done.receipt["removed_at"]


def lose(path):
    path.unlink()


def replace_content(path):
    stat = path.stat()
    path.write_text("else")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def relink(path):
    path.unlink()
    path.hardlink_to(path.parent.parent / "b.bin")


@pytest.mark.parametrize("change", [lose, replace_content, relink])
def test_without_a_proven_keeper_the_member_stays(make, change):
    world = trash_world(make)
    change(world.source_root / "keep/a.bin")
    world.work()
    assert world.states() == ["refused"]
    assert contents(world.source_root)["b.bin"] == b"same"


def test_two_members_cannot_keep_each_other(make):
    world = make({"a.bin": "same", "b.bin": "same"})
    plan(
        world,
        (TRASH, "a.bin", None, {"keeper": "b.bin"}),
        (TRASH, "b.bin", None, {"keeper": "a.bin"}),
    )
    world.work()
    assert world.states() == ["done", "refused"]
    assert contents(world.source_root)["b.bin"] == b"same"


def test_a_file_is_no_keeper_of_itself_nor_without_one(make):
    world = make({"a.bin": "same", "b.bin": "same"})
    plan(world, (TRASH, "a.bin", None, {"keeper": "a.bin"}), (TRASH, "b.bin", None))
    world.work()
    assert world.states() == ["refused", "refused"]


def test_a_keeper_that_the_same_job_moved_is_found_where_it_went(make):
    world = make({"keep/a.bin": "same", "b.bin": "same"})
    source, target = world.open()
    went = {KEEPER_URL: target.url, KEEPER_AT: "out/a.bin"}
    world.begin(
        [
            operation(0, MOVE, source, "keep/a.bin", target, "out/a.bin"),
            operation(1, TRASH, source, "b.bin", target, keeper="keep/a.bin", receipt=went),
        ]
    )
    world.work()
    assert world.states() == ["done", "done"]
    receipt = outcome(world, 1).receipt
    assert receipt["kept_key"] in {"keep/a.bin", "out/a.bin"}  # a copy may still be both
    assert receipt[KEEPER_AT] == "out/a.bin"


# Batches, leases, cancellation


CHUNK = 50


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(core, "CHUNK_OPERATIONS", CHUNK)
    monkeypatch.setattr(ranges, "CHUNK_OPERATIONS", CHUNK)


def many(tmp_path, count, kind=LocalStore):
    world = World.make(tmp_path, {f"in/{n}.txt": f"{n}" for n in range(count)}, kind=kind)
    plan(world, *((MOVE, f"in/{n}.txt", f"out/{n}.txt") for n in range(count)))
    return world


def test_the_journal_hears_of_hundreds_at_once(tmp_path, small_chunks):
    world = many(tmp_path, 2 * CHUNK + 1)
    world.work()
    assert set(world.states()) == {"done"}
    assert world.journal.records == 3


def test_a_cancellation_stops_between_chunks_with_nothing_half_done(tmp_path, small_chunks):
    world = many(tmp_path, CHUNK + 10)
    answers = iter([True, False])
    world.work(may_continue=lambda: next(answers))
    assert world.states().count("done") == CHUNK
    assert world.states().count("planned") == 10
    assert len(contents(world.source_root / "out")) == CHUNK
    world.work()
    assert set(world.states()) == {"done"}


def test_a_busy_storage_keeps_what_was_done_and_goes_on_later(tmp_path):
    world = many(tmp_path, 5)
    store, _ = world.open()
    rename = store.rename

    def busy(source_key, key, *, version):
        if source_key == "in/3.txt":
            raise BusyError("throttled")
        return rename(source_key, key, version=version)

    store.rename = busy
    epoch = world.journal.new_epoch("job")
    mover = Mover([store], world.journal, job_id="job", epoch=epoch)
    with pytest.raises(BusyError):
        mover.apply(world.journal.operations("job"))
    assert world.states() == ["done", "done", "done", "planned", "planned"]
    world.work()
    assert set(world.states()) == {"done"}


def test_one_file_in_use_is_deferred_and_the_rest_goes_on(tmp_path):
    """A mount point, say: trying the whole batch again would never help."""
    world = many(tmp_path, 3)
    store, _ = world.open()
    rename = store.rename

    def busy(source_key, key, *, version):
        if source_key == "in/1.txt":
            raise BusyError("is in use") from OSError(errno.EBUSY, "Device or resource busy")
        return rename(source_key, key, version=version)

    store.rename = busy
    epoch = world.journal.new_epoch("job")
    mover = Mover([store], world.journal, job_id="job", epoch=epoch)
    mover.apply(world.journal.operations("job"))
    assert world.states() == ["done", "deferred", "done"]


def test_a_trashing_found_ahead_is_proven_before_its_member_goes(tmp_path):
    world = World.make(tmp_path, {"a.txt": "x", "b.txt": "x"}, kind=CopyingStore)
    plan(world, (TRASH, "b.txt", None, {"keeper": "a.txt"}))
    world.journal.steps = Steps(crash_before=0)
    store, _ = world.open()
    epoch = world.journal.new_epoch("job")
    mover = Mover([store], world.journal, job_id="job", epoch=epoch)
    with pytest.raises(Crash):
        mover.apply(world.journal.operations("job"))
    world.journal.steps = Steps()
    (world.source_root / "a.txt").unlink()
    mover.reconcile(world.journal.operations("job"))
    assert world.states() == ["refused"]
    assert contents(world.source_root)["b.txt"] == b"x"


def test_folders_that_cannot_come_back_do_not_stop_an_undo(tmp_path):
    world = World.make(tmp_path, {"in/deep/a.txt": "a", "b.txt": "b"})
    plan(world, (MOVE, "in/deep/a.txt", "out/a.txt"), (MOVE, "b.txt", "out/b.txt"))
    world.work()
    (world.source_root / "in").write_text("a file where a folder was")
    undo(world)
    assert world.states("undo") == ["done", "refused"]
    assert contents(world.source_root)["b.txt"] == b"b"
    assert contents(world.source_root)["out/a.txt"] == b"a"


def test_a_worker_that_slept_through_its_lease_does_nothing_more(tmp_path):
    world = many(tmp_path, 3)
    store, _ = world.open()
    clock = iter([0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0])
    taken_over = []

    def now():
        time_s = next(clock, 200.0)
        if time_s == 100.0 and not taken_over:
            taken_over.append(world.journal.new_epoch("job"))
        return time_s

    epoch = world.journal.new_epoch("job")
    sleeper = Mover([store], world.journal, job_id="job", epoch=epoch, clock=now)
    with pytest.raises(ConflictError, match="fenced off"):
        sleeper.apply(world.journal.operations("job"))
    moved = len(contents(world.source_root / "out")) if (world.source_root / "out").exists() else 0
    assert moved < 3
    world.work()
    assert set(world.states()) == {"done"}
    assert len(contents(world.source_root / "out")) == 3


def test_a_fenced_off_worker_touches_nothing_at_all(make):
    world = make({"a.txt": "a"})
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    stale = world.journal.new_epoch("job")
    world.journal.new_epoch("job")
    mover = Mover(list(world.open()), world.journal, job_id="job", epoch=stale)
    with pytest.raises(ConflictError):
        mover.apply(world.journal.operations("job"))
    assert contents(world.source_root)["a.txt"] == b"a"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
def test_batches_take_every_unit_whole_and_once(tmp_path, size):
    lengths = [1, 3, 1, 1, 5, 2, 1, 4]
    world = World.make(tmp_path, {f"{n}.txt": f"{n}" for n in range(sum(lengths))})
    units = [f"u{index}" for index, length in enumerate(lengths) for _ in range(length)]
    plan(world, *((MOVE, f"{n}.txt", f"out/{n}", {"unit": u}) for n, u in enumerate(units)))
    batches = [
        whole_units(world.journal, "job", first, min(first + size, len(units)) - 1)
        for first in range(0, len(units), size)
    ]
    assert [each.seq for batch in batches for each in batch] == list(range(len(units)))
    for before, after in itertools.pairwise(batches):
        if before and after:
            assert before[-1].unit_id != after[0].unit_id


# Folders


def test_only_folders_the_job_emptied_go(make):
    world = make({"a/b/c.txt": "c", "d/e.txt": "e", "d/f.txt": "f", "g/h.txt": "h"})
    (world.source_root / "empty").mkdir()
    (world.source_root / "g/empty-inside").mkdir()
    plan(
        world,
        (MOVE, "a/b/c.txt", "out/c.txt"),
        (MOVE, "d/e.txt", "out/e.txt"),
        (MOVE, "g/h.txt", "out/h.txt"),
    )
    world.work()
    folders = {path.name for path in world.source_root.iterdir() if path.is_dir()} - {"out"}
    assert folders == {"d", "empty", "g"}
    assert (world.source_root / "g/empty-inside").is_dir()


# Undo


def undo(world, job_id="undo"):
    done = world.journal.operations("job")
    world.journal.begin(job_id, undo_operations(done, job_id=job_id), [])
    return world.work(job_id, restore_of="job")


def undo_world(make):
    world = make(
        {
            "in/a.txt": "a",
            "in/deep/b.txt": "b",
            "keep/dup.bin": "same",
            "in/dup.bin": "same",
            "in/new.txt": "newcomer",
            "in/copied.txt": "copied",
        },
        {"out/old.txt": "displaced"},
    )
    (world.source_root / "in/deep").chmod(0o750)
    before = [facts(root) for root in world.roots]
    source, target = world.open()
    world.begin(
        [
            operation(0, MOVE, source, "in/a.txt", target, "out/x/a.txt"),
            operation(1, MOVE, source, "in/deep/b.txt", target, "out/b.txt"),
            operation(2, TRASH, source, "in/dup.bin", target, keeper="keep/dup.bin"),
            operation(3, DISPLACE, target, "out/old.txt", target, None),
            operation(4, MOVE, source, "in/new.txt", target, "out/old.txt"),
            operation(5, COPY, source, "in/copied.txt", target, "out/copied.txt"),
        ]
    )
    world.work()
    assert set(world.states()) == {"done"}
    return world, before


def test_undo_restores_bytes_modes_and_times_and_twice_equals_once(make):
    world, before = undo_world(make)
    undo(world)
    assert set(world.states("undo")) == {"done"}
    assert [facts(root) for root in world.roots] == before
    undo(world, "again")
    assert set(world.states("again")) == {"done"}
    assert [facts(root) for root in world.roots] == before


def test_undo_leaves_later_edits_alone_and_says_so(make):
    world, _ = undo_world(make)
    (world.destination_root / "out/b.txt").write_text("edited since")
    (world.destination_root / "out/copied.txt").write_text("edited copy")
    (world.destination_root / "out/later.txt").write_text("new since")
    undo(world)
    after = contents(world.destination_root)
    assert after["out/b.txt"] == b"edited since"
    assert after["out/copied.txt"] == b"edited copy"
    assert after["out/later.txt"] == b"new since"
    assert contents(world.source_root)["in/a.txt"] == b"a"
    refused = [each for each in world.journal.operations("undo") if each.error]
    assert len(refused) == 2
    assert all("changed after" in each.error for each in refused)
    again = {root: facts(root) for root in world.roots}
    undo(world, "again")
    assert {root: facts(root) for root in world.roots} == again


def test_undo_of_a_copy_keeps_it_when_the_source_lost_its_content(make):
    world = make({"a.txt": "a"})
    plan(world, (COPY, "a.txt", "out/a.txt"))
    world.work()
    (world.source_root / "a.txt").write_text("changed")
    undo(world)
    assert world.states("undo") == ["refused"]
    assert contents(world.destination_root)["out/a.txt"] == b"a"


def test_undo_does_not_overwrite_what_took_the_old_place(make):
    world = make({"a.txt": "a"})
    plan(world, (MOVE, "a.txt", "out/a.txt"))
    world.work()
    make_tree(world.source_root, {"a.txt": "another"})
    undo(world)
    assert world.states("undo") == ["refused"]
    assert contents(world.source_root)["a.txt"] == b"another"
    assert contents(world.destination_root)["out/a.txt"] == b"a"


def test_only_what_a_chunk_takes_can_be_ahead(tmp_path, small_chunks):
    world = many(tmp_path, 3 * CHUNK)
    rows = world.journal.rows["job"]
    rows[0] = replace(rows[0], state=OperationState.DONE)
    late = 2 * CHUNK
    rows[late] = replace(rows[late], state=OperationState.COPIED)
    found = [each.seq for each in possibly_ahead(world.journal, "job")]
    assert found == [*range(1, CHUNK + 1), late]


class MountedBelow(Syscalls):
    """A file system is mounted below a root: its files cannot be renamed out of it."""

    def rename_new(self, name, new_name, *, dir_fd, new_dir_fd):
        if name == "mounted":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        super().rename_new(name, new_name, dir_fd=dir_fd, new_dir_fd=new_dir_fd)


def test_where_a_rename_turns_out_impossible_the_mover_copies(tmp_path):
    world = World.make(tmp_path, {"mounted": "far", "a": "near"}, {})
    plan(world, (MOVE, "mounted", "b/mounted"), (MOVE, "a", "b/a"))
    roots = [
        LocalStore(root, url=f"file://{root}", syscalls=MountedBelow()) for root in world.roots
    ]
    epoch = world.journal.new_epoch("job")
    mover = Mover(roots, world.journal, job_id="job", epoch=epoch)
    mover.apply(world.journal.operations("job"))
    for root in roots:
        root.tidy()
        root.close()
    assert world.states() == ["done", "done"]
    assert contents(world.destination_root) == {"b/mounted": b"far", "b/a": b"near"}
    assert contents(world.source_root) == {}
    assert debris(*world.roots) == []
