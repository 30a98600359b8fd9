"""Scenarios of `docs/scenarios.md` that storage, plan and mover answer together."""

import os
import threading
from collections import Counter

import pytest
from apply_world import OLD_NS, CopyingStore, Crash, CrashingSyscalls, Steps, debris
from scenario_worlds import Arena, CrashingCalls, local_root, memory_root, s3_root, with_calls

from models.domain.errors import BusyError, ConflictError
from models.domain.jobs import OrganizeOptions
from models.domain.operations import OperationState
from models.domain.organizing import ConflictPolicy, OnDuplicate
from models.domain.plans import Action
from storage.local import LocalStore
from storage.syscalls import Syscalls
from tasks.apply.evidence import RootGoneError

pytestmark = pytest.mark.service

KINDS = ["local", "local-across", "local-apart", "s3", "s3-across", "folding"]


@pytest.fixture
def make(request, tmp_path):
    """Make an arena of a kind: one root, or two.

    Two of one file system are `-across`, where a move is a rename; two of which nothing can be
    renamed to the other, as on two disks, are `-apart`.
    """

    def root(kind, name, how):
        if kind == "local":
            return local_root(name, tmp_path, CopyingStore if how == "apart" else LocalStore)
        if kind == "s3":
            bucket = request.getfixturevalue("s3_bucket")
            return s3_root(name, tmp_path, bucket, request.getfixturevalue("s3_calls"))
        return memory_root(tmp_path.name.replace("_", "-"), tmp_path, is_folding=kind == "folding")

    def arena(kind, source, target=None):
        kind, _, how = kind.partition("-")
        one = root(kind, "in", how)
        other = root(kind, "out", how) if how else one
        one.write(source)
        other.write(target or {})
        return Arena(one, other)

    return arena


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=["local", "local-across", "local-apart", "s3"])
def disk_or_s3(request):
    return request.param


FLAT = {"mode": "custom", "template": "All/{stem}{ext}"}


def paths(arena, job_id):
    """Where the journal says that files went."""
    return {
        each.source_key: each.destination_key
        for each in arena.journal.operations(job_id)
        if each.state is OperationState.DONE and each.action in {Action.MOVE, Action.COPY}
    }


# Collision and naming


@pytest.mark.scenario(1)
def test_scenario_01_three_different_files_of_one_name_survive(make, kind):
    tree = {f"{folder}/IMG_1.jpg": f"picture of {folder}" for folder in "abc"}
    arena = make(kind, tree)
    before = arena.hashes()
    arena.organize(**FLAT)
    assert arena.hashes() == before
    assert sorted(arena.target.tree().values()) == sorted(text.encode() for text in tree.values())
    assert all(key.startswith("All/IMG_1") for key in arena.target.names())


@pytest.mark.scenario(2)
def test_scenario_02_what_the_preview_shows_is_what_happens(make, kind):
    arena = make(kind, {"a/x.txt": "1", "b/x.txt": "2", "c/X.txt": "3"}, {"All/x.txt": "there"})
    preview = arena.plan(OrganizeOptions(**FLAT))
    job_id = arena.begin(preview)
    arena.work(job_id)
    shown = {
        move.source_key: move.destination_key for move in preview if move.action == Action.MOVE
    }
    assert paths(arena, job_id) == shown
    assert set(shown.values()) <= set(arena.target.names())
    assert arena.target.read("All/x.txt") == b"there"


@pytest.mark.scenario(3)
def test_scenario_03_what_is_overwritten_by_policy_lies_in_the_trash(make, kind):
    arena = make(kind, {"new/x.txt": "newcomer"}, {"All/x.txt": "displaced"})
    before = arena.hashes()
    arena.organize(**FLAT, conflict=ConflictPolicy.REPLACE_TO_TRASH)
    assert arena.hashes() == before
    survivor = arena.target.read("All/x.txt")
    assert Counter([survivor, *arena.target.trash().values()]) == before


@pytest.mark.scenario(4)
def test_scenario_04_two_cases_of_a_name_survive_on_a_folding_store(tmp_path):
    source, target = (
        local_root("in", tmp_path),
        memory_root("cases", tmp_path, is_folding=True),
    )
    source.write({"a/Photo.JPG": "upper", "b/photo.jpg": "lower"})
    arena = Arena(source, target)
    arena.organize(mode="custom", template="All/{stem}{ext}")
    assert sorted(target.tree().values()) == [b"lower", b"upper"]
    assert source.tree() == {}


@pytest.mark.scenario(5)
def test_scenario_05_changing_only_the_case_of_a_name_keeps_the_content(tmp_path):
    root = memory_root("case", tmp_path, is_folding=True)
    root.write({"All/a.txt": "content"})
    arena = Arena(root, root)
    moves = arena.plan_of_renames({"All/a.txt": "All/A.txt"})
    job_id = arena.begin(moves)
    arena.work(job_id)
    assert arena.states(job_id) == ["done"]
    assert root.tree() == {"All/A.txt": b"content"}


@pytest.mark.scenario(6)
def test_scenario_06_two_normal_forms_of_a_name_survive_on_a_normalizing_store(tmp_path):
    source, target = (
        local_root("in", tmp_path),
        memory_root("forms", tmp_path, is_folding=True),
    )
    source.write({"a/\u00e9.txt": "composed", "b/e\u0301.txt": "decomposed"})
    Arena(source, target).organize(**FLAT)
    assert sorted(target.tree().values()) == [b"composed", b"decomposed"]


ODD = ["new\nline.txt", 'quo"te.txt', "$(touch pwned).txt", "-rf.txt", "[2024]*.txt", " lead.txt"]


@pytest.mark.scenario(7)
@pytest.mark.parametrize("name", ODD)
def test_scenario_07_of_odd_names_exactly_that_file_is_touched(make, disk_or_s3, name):
    if disk_or_s3 == "s3" and "\n" in name:
        pytest.skip("the S3 server of the tests routes no newline; S3 itself does")
    arena = make(disk_or_s3, {f"in/{name}": "odd", "in/rf.txt": "a", "in/2024x.txt": "b"})
    job_id = arena.begin(arena.plan_of_renames({f"in/{name}": f"out/{name}"}))
    arena.work(job_id)
    assert arena.states(job_id) == ["done"]
    assert arena.source.has("in/rf.txt")
    assert arena.source.has("in/2024x.txt")
    assert not arena.source.has(f"in/{name}")
    assert arena.target.read(f"out/{name}") == b"odd"


@pytest.mark.scenario(8)
def test_scenario_08_names_no_disk_can_have_are_changed_visibly(make, disk_or_s3):
    arena = make(disk_or_s3, {"in/CON.txt": "reserved", "in/dot..txt": "dots", "in/fine.txt": "x"})
    options = OrganizeOptions(mode="custom", template="{stem}/" + "y" * 300 + "{ext}")
    moves = arena.plan(options)
    job_id = arena.begin(moves)
    before = arena.hashes()
    arena.work(job_id)
    assert set(arena.states(job_id)) <= {"done"}
    assert arena.hashes() == before
    for key in arena.target.names():
        assert all(len(part.encode()) <= 255 for part in key.split("/"))
        assert "CON" not in key.split("/")


# Move and crash


class FullDisk(Syscalls):
    """A disk that takes a few bytes more and is full then."""

    def write(self, fd, data):
        if len(data) > 100:
            raise OSError(28, "No space left on device")
        return super().write(fd, data)


class TruncatingDisk(Syscalls):
    """A disk that says it wrote everything and forgot the end."""

    def write(self, fd, data):
        super().write(fd, data[:-1])
        return len(data)


def _on_disk(arena, syscalls):
    store = arena.target.store
    arena.target.store = CopyingStore(arena.target.path, url=store.url, syscalls=syscalls)


@pytest.mark.scenario(12)
def test_scenario_12_a_full_disk_keeps_the_source_and_leaves_no_part(make):
    arena = make("local-apart", {"in/big.bin": "x" * 1000, "in/small.txt": "small"})
    renames = {"in/big.bin": "out/big.bin", "in/small.txt": "out/small.txt"}
    job_id = arena.begin(arena.plan_of_renames(renames))
    _on_disk(arena, FullDisk())
    arena.work(job_id)
    assert arena.states(job_id) == ["failed", "done"]
    assert "full" in arena.operations(job_id, OperationState.FAILED)[0].error
    assert arena.source.tree() == {"in/big.bin": b"x" * 1000}
    assert arena.target.tree() == {"out/small.txt": b"small"}
    assert debris(arena.source.path, arena.target.path) == []


@pytest.mark.scenario(13)
def test_scenario_13_a_truncated_copy_keeps_the_source(make):
    arena = make("local-apart", {"in/a.txt": "whole content"})
    job_id = arena.begin(arena.plan_of_renames({"in/a.txt": "out/a.txt"}))
    _on_disk(arena, TruncatingDisk())
    arena.work(job_id)
    assert arena.states(job_id) == ["failed"]
    assert arena.source.tree() == {"in/a.txt": b"whole content"}
    assert arena.target.tree() == {}
    assert debris(arena.source.path, arena.target.path) == []


@pytest.mark.scenario(13)
def test_scenario_13_a_truncated_object_keeps_the_source(make, tmp_path):
    arena = make("s3-across", {})
    arena.source = local_root("in", tmp_path)
    arena.source.write({"in/a.txt": "whole content"})
    job_id = arena.begin(arena.plan_of_renames({"in/a.txt": "out/a.txt"}))
    store = arena.target.store
    calls = CrashingCalls(store.calls)

    def truncate(operation, arguments):
        if operation == "put_object" and arguments.get("Body") == b"whole content":
            arguments["Body"] = b"whole conten"
            arguments.pop("ContentMD5", None)

    calls.tamper = truncate
    arena.target.store = with_calls(store, calls)
    arena.work(job_id)
    assert arena.states(job_id) == ["failed"]
    assert arena.source.tree() == {"in/a.txt": b"whole content"}
    assert arena.target.tree() == {}


@pytest.mark.scenario(14)
@pytest.mark.parametrize("kind", ["local-apart", "s3", "s3-across"])
def test_scenario_14_a_failed_deletion_is_retried_without_a_second_copy(make, kind):
    arena = make(kind, {"in/a.txt": "alpha"})
    job_id = arena.begin(arena.plan_of_renames({"in/a.txt": "out/a.txt"}))
    store = arena.source.store
    delete = store.delete

    def busy(key, *, version):
        raise BusyError("the server is occupied")

    store.delete = busy
    with pytest.raises(BusyError):
        arena.work(job_id)
    assert arena.states(job_id) == ["copied"]
    store.delete = delete
    arena.work(job_id)
    assert arena.states(job_id) == ["done"]
    assert arena.hashes() == Counter([b"alpha"])
    assert arena.target.names() == ["out/a.txt"]


@pytest.mark.scenario(15)
def test_scenario_15_a_worker_that_dies_before_its_record_is_reconciled(make, kind):
    arena = make(kind, {"in/a.txt": "alpha", "in/b.txt": "beta"})
    renames = {"in/a.txt": "out/a.txt", "in/b.txt": "out/b.txt"}
    job_id = arena.begin(arena.plan_of_renames(renames))
    arena.journal.steps = Steps(crash_before=0)
    with pytest.raises(Crash):
        arena.work(job_id)
    assert arena.states(job_id) == ["planned", "planned"]
    arena.journal.steps = Steps()
    arena.work(job_id)
    assert arena.states(job_id) == ["done", "done"]
    assert sorted(arena.target.names()) == sorted(renames.values())
    assert paths(arena, job_id) == renames


@pytest.mark.scenario(16)
def test_scenario_16_two_workers_of_one_job_apply_it_once(make, kind):
    tree = {f"in/{n}.txt": f"{n}" for n in range(12)}
    arena = make(kind, tree)
    before = arena.hashes()
    job_id = arena.begin(arena.plan_of_renames({key: key.replace("in/", "out/") for key in tree}))
    first, second = arena.mover(job_id), arena.mover(job_id)
    refused: list[Exception] = []

    def run(mover):
        try:
            mover.apply(arena.journal.operations(job_id))
        except (ConflictError, BusyError) as error:
            refused.append(error)

    threads = [threading.Thread(target=run, args=(mover,)) for mover in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arena.work(job_id)
    assert len(refused) >= 1
    assert set(arena.states(job_id)) == {"done"}
    assert arena.hashes() == before
    assert sorted(arena.target.names()) == sorted(f"out/{n}.txt" for n in range(12))


@pytest.mark.scenario(17)
def test_scenario_17_two_jobs_that_race_to_one_place_overwrite_nothing(make, kind):
    arena = make(kind, {"a/x.txt": "first", "b/x.txt": "second"})
    before = arena.hashes()
    jobs = [arena.begin(arena.plan_of_renames({f"{folder}/x.txt": "out/x.txt"})) for folder in "ab"]
    movers = [arena.mover(job_id) for job_id in jobs]
    threads = [
        threading.Thread(target=mover.apply, args=(arena.journal.operations(job_id),))
        for mover, job_id in zip(movers, jobs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = sorted(state for job_id in jobs for state in arena.states(job_id))
    assert states == ["done", "refused"]
    assert arena.hashes() == before


@pytest.mark.scenario(18)
def test_scenario_18_a_destination_inside_the_source_is_not_walked_again(make, kind):
    arena = make(kind, {"a.txt": "alpha", "deep/b.jpg": "beta"})
    arena.organize(mode="category_year")
    tree = arena.target.tree()
    again = arena.organize(mode="category_year")
    assert arena.states(again) == []
    assert arena.target.tree() == tree


@pytest.mark.scenario(19)
def test_scenario_19_a_hardlink_of_the_destination_keeps_its_content(make):
    arena = make("local", {"out/x.txt": "content"})
    (arena.source.path / "in").mkdir()
    (arena.source.path / "in/x.txt").hardlink_to(arena.source.path / "out/x.txt")
    job_id = arena.begin(arena.plan_of_renames({"in/x.txt": "out/x.txt"}))
    arena.work(job_id)
    assert arena.states(job_id) == ["refused"]
    assert arena.source.tree() == {"in/x.txt": b"content", "out/x.txt": b"content"}


@pytest.mark.scenario(20)
def test_scenario_20_an_etag_of_parts_is_not_taken_for_a_hash(make, tmp_path):
    """An object in parts has an ETag that is no MD5; parts of 5 MiB stand for 5 GB."""
    arena = make("s3-across", {})
    store = arena.source.store
    name = store.url.split("/", 3)[3] + "/in/big.bin"
    at = {"Bucket": store.bucket, "Key": name}
    upload = store.calls.call("create_multipart_upload", **at)["UploadId"]
    parts = []
    bodies = [b"1" * (5 << 20), b"2" * (1 << 20)]
    for number, body in enumerate(bodies, start=1):
        reply = store.calls.call("upload_part", **at, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": reply["ETag"]})
    store.calls.call(
        "complete_multipart_upload", **at, UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert "-2" in store.stat("in/big.bin").version
    job_id = arena.begin(arena.plan_of_renames({"in/big.bin": "out/big.bin"}))
    arena.work(job_id)
    assert arena.states(job_id) == ["done"]
    assert arena.target.read("out/big.bin") == b"".join(bodies)
    undo_id = arena.undo(job_id)
    assert arena.states(undo_id) == ["done"]
    assert arena.source.read("in/big.bin") == b"".join(bodies)


# Stale plans


@pytest.mark.scenario(21)
def test_scenario_21_an_edit_of_equal_size_and_time_is_never_removed(make, disk_or_s3):
    arena = make(disk_or_s3, {"keep/a.bin": "same", "b.bin": "same"})
    moves = arena.duplicates_to_trash("b.bin", keeper="keep/a.bin")
    job_id = arena.begin(moves)
    arena.source.write({"b.bin": "edit"})
    if disk_or_s3.startswith("local"):
        os.utime(arena.source.path / "b.bin", ns=(OLD_NS + 5, OLD_NS + 5))
    arena.work(job_id)
    assert arena.states(job_id) == ["refused"]
    assert arena.source.read("b.bin") == b"edit"


@pytest.mark.scenario(22)
def test_scenario_22_without_its_keeper_a_member_stays(make, kind):
    arena = make(kind, {"keep/a.bin": "same", "b.bin": "same"})
    job_id = arena.begin(arena.duplicates_to_trash("b.bin", keeper="keep/a.bin"))
    arena.source.remove("keep/a.bin")
    arena.work(job_id)
    assert arena.states(job_id) == ["refused"]
    assert arena.source.tree() == {"b.bin": b"same"}


@pytest.mark.scenario(23)
def test_scenario_23_with_a_replaced_keeper_a_member_stays(make, kind):
    arena = make(kind, {"keep/a.bin": "same", "b.bin": "same"})
    job_id = arena.begin(arena.duplicates_to_trash("b.bin", keeper="keep/a.bin"))
    arena.source.write({"keep/a.bin": "else"})
    arena.work(job_id)
    assert arena.states(job_id) == ["refused"]
    assert arena.source.tree() == {"b.bin": b"same", "keep/a.bin": b"else"}


@pytest.mark.scenario(24)
@pytest.mark.parametrize("kind", ["local", "local-across", "local-apart"])
def test_scenario_24_a_file_that_is_open_and_growing_is_deferred(make, kind):
    arena = make(kind, {"in/download.part": "first half "})
    job_id = arena.begin(arena.plan_of_renames({"in/download.part": "out/download.part"}))
    with (arena.source.path / "in/download.part").open("a") as growing:
        growing.write("second half")
        growing.flush()
        arena.work(job_id)
        assert arena.states(job_id) == ["deferred"]
        growing.write(", the end")
    assert arena.source.read("in/download.part") == b"first half second half, the end"


@pytest.mark.scenario(25)
@pytest.mark.parametrize("kind", ["local", "local-across", "local-apart"])
def test_scenario_25_a_vanished_mount_stops_the_job_and_concludes_nothing(make, kind, tmp_path):
    arena = make(kind, {"in/a.txt": "alpha"})
    job_id = arena.begin(arena.plan_of_renames({"in/a.txt": "out/a.txt"}))
    path = arena.source.path
    path.rename(tmp_path / "unmounted")
    arena.source.store = LocalStore(path, url=arena.source.store.url)
    if arena.target.store.url == arena.source.store.url:
        arena.target = arena.source
    with pytest.raises(RootGoneError):
        arena.work(job_id)
    assert arena.states(job_id) == ["planned"]


@pytest.mark.scenario(26)
def test_scenario_26_a_changed_version_is_read_again_before_anything_moves(make, disk_or_s3):
    arena = make(disk_or_s3, {"in/same.txt": "same", "in/other.txt": "before"})
    renames = {"in/other.txt": "out/other.txt", "in/same.txt": "out/same.txt"}
    job_id = arena.begin(arena.plan_of_renames(renames))
    arena.source.write({"in/same.txt": "same", "in/other.txt": "after!"})
    arena.work(job_id)
    assert arena.states(job_id) == ["refused", "done"]


# Duplicates


@pytest.mark.scenario(27)
def test_scenario_27_hardlinks_are_never_both_removed(make):
    arena = make("local", {"a.bin": "same"})
    (arena.source.path / "b.bin").hardlink_to(arena.source.path / "a.bin")
    planned = arena.organize(mode="mirror", on_duplicate=OnDuplicate.TRASH)
    assert "trash" not in {each.action for each in arena.journal.operations(planned)}
    job_id = arena.begin(
        [
            *arena.duplicates_to_trash("b.bin", keeper="a.bin"),
            *arena.duplicates_to_trash("a.bin", keeper="b.bin", seq=1),
        ]
    )
    arena.work(job_id)
    assert arena.states(job_id) == ["refused", "refused"]
    assert arena.source.tree() == {"a.bin": b"same", "b.bin": b"same"}


@pytest.mark.scenario(29)
def test_scenario_29_of_a_group_marked_wholly_for_removal_one_stays(make, kind):
    arena = make(kind, {"a.bin": "same", "b.bin": "same", "c.bin": "same"})
    keepers = {"a.bin": "b.bin", "b.bin": "c.bin", "c.bin": "a.bin"}
    moves = [
        move
        for seq, (key, keeper) in enumerate(keepers.items())
        for move in arena.duplicates_to_trash(key, keeper=keeper, seq=seq)
    ]
    before = arena.hashes()
    job_id = arena.begin(moves)
    arena.work(job_id)
    assert arena.states(job_id) == ["done", "done", "refused"]
    assert arena.source.tree() == {"c.bin": b"same"}
    assert arena.hashes() == before


@pytest.mark.scenario(30)
def test_scenario_30_one_different_byte_in_the_middle_is_another_file(make, kind):
    arena = make(kind, {"a.bin": b"x" * 999 + b"1" + b"x" * 999, "b.bin": b"x" * 1999})
    arena.organize(mode="mirror", on_duplicate=OnDuplicate.TRASH)
    assert len(arena.target.tree()) == 2
    assert arena.target.trash() == {}


@pytest.mark.scenario(31)
def test_scenario_31_empty_package_markers_are_untouched(make, kind):
    tree = {
        "pkg/pyproject.toml": "[project]",
        "pkg/one/__init__.py": "",
        "pkg/two/__init__.py": "",
        "pkg/one/code.py": "x = 1",
    }
    arena = make(kind, tree)
    arena.organize(mode="mirror", on_duplicate=OnDuplicate.TRASH)
    assert arena.target.trash() == {}
    assert sorted(arena.target.tree().values()) == sorted(text.encode() for text in tree.values())


# Companions and undo


@pytest.mark.scenario(36)
def test_scenario_36_companions_move_together_or_not_at_all(make, kind):
    tree = {
        "in/IMG_7.CR3": "raw",
        "in/IMG_7.JPG": "jpeg",
        "in/IMG_7.xmp": "sidecar",
        "in/IMG_8.HEIC": "live",
        "in/IMG_8.MOV": "moving",
    }
    arena = make(kind, tree)
    moves = arena.plan(OrganizeOptions(mode="category"))
    units = {move.source_key: move.unit_id for move in moves}
    assert units["in/IMG_7.CR3"] == units["in/IMG_7.JPG"] == units["in/IMG_7.xmp"]
    assert units["in/IMG_8.HEIC"] == units["in/IMG_8.MOV"]
    job_id = arena.begin(moves)
    arena.source.write({"in/IMG_7.xmp": "rated since"})
    arena.work(job_id)
    states = {each.source_key: each.state for each in arena.journal.operations(job_id)}
    assert {states[key] for key in tree if "IMG_7" in key} == {OperationState.REFUSED}
    assert {states[key] for key in tree if "IMG_8" in key} == {OperationState.DONE}
    assert {"in/IMG_7.CR3", "in/IMG_7.JPG", "in/IMG_7.xmp"} <= set(arena.source.names())


@pytest.mark.scenario(36)
def test_scenario_36_companions_go_to_the_trash_together_or_not_at_all(make, kind):
    pair = {"x.cr3": "raw", "x.jpg": "jpeg"}
    tree = {f"{folder}/{name}": text for folder in ("keep", "dup") for name, text in pair.items()}
    arena = make(kind, tree)
    moves = [
        move
        for seq, name in enumerate(pair)
        for move in arena.duplicates_to_trash(
            f"dup/{name}", keeper=f"keep/{name}", seq=seq, unit="x"
        )
    ]
    job_id = arena.begin(moves)
    arena.source.write({"keep/x.jpg": "JPEG"})
    arena.work(job_id)
    assert arena.states(job_id) == ["refused", "refused"]
    assert {"dup/x.cr3", "dup/x.jpg"} <= set(arena.source.names())
    arena.source.write({"keep/x.jpg": "jpeg"})
    again = arena.begin(moves)
    arena.work(again)
    assert arena.states(again) == ["done", "done"]
    assert set(arena.source.names()) == {"keep/x.cr3", "keep/x.jpg"}


@pytest.mark.scenario(40)
def test_scenario_40_a_run_undone_twice_restores_and_leaves_later_edits(make, kind):
    arena = make(
        kind,
        {
            "a/IMG.jpg": "picture",
            "b/IMG.jpg": "another picture",
            "c/twin.txt": "twins",
            "keep/twin.txt": "twins",
            "d/edited.txt": "before",
        },
        {"Work/note.txt": "in place"},
    )
    source, target = arena.source.tree(), arena.target.tree()
    job_id = arena.organize(mode="category", on_duplicate=OnDuplicate.TRASH)
    assert arena.source.tree() != source
    edited = paths(arena, job_id)["d/edited.txt"]
    arena.target.write({edited: "edited since", "Work/later.txt": "new since"})
    undo_id = arena.undo(job_id)
    assert "refused" in arena.states(undo_id)
    left = {edited: b"edited since", "Work/later.txt": b"new since"}
    expected_source = {key: data for key, data in source.items() if key != "d/edited.txt"}
    if arena.source is arena.target:
        assert arena.source.tree() == expected_source | left
    else:
        assert arena.source.tree() == expected_source
        assert arena.target.tree() == target | left
    trees = arena.source.tree(), arena.target.tree()
    arena.undo(job_id)
    assert (arena.source.tree(), arena.target.tree()) == trees
    assert arena.source.trash() == {}


def test_a_crashing_disk_is_what_the_crash_suite_uses(tmp_path):
    """The wrapper counts and dies; were it inert, every crash test would pass for nothing."""
    steps = Steps(crash_before=1)
    disk = CrashingSyscalls(steps)
    fd = os.open(tmp_path, os.O_RDONLY)
    disk.mkdir("one", dir_fd=fd)
    with pytest.raises(Crash):
        disk.mkdir("two", dir_fd=fd)
    os.close(fd)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
