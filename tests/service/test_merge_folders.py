"""A union merge on a disk, in a bucket and in Postgres: carried out, killed, resumed, undone."""

import itertools
import uuid

import pytest
from apply_world import Crash, Steps, World, debris, facts, hashes, make_tree
from scenario_worlds import Arena, Root, local_root, memory_root, s3_root

from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.manifest import ListingProblem
from models.domain.plans import Action, Move
from models.settings import Settings
from storage.opening import canonical_url, open_store
from tasks.apply import task as apply_task
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from tasks.plan.merge import merge_moves
from tasks.plan.merge_task import make_merge_plan
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service

TREE = {
    "Photos/2019/a.jpg": "alpha",
    "Photos/2019/deep/note.txt": "kept",
    "Photos/2019/pair.jpg": "jpeg",
    "old/a.jpg": "alpha",
    "old/renamed copy.jpg": "alpha",
    "old/deep/note.txt": "another note",
    "old/deep/only here.txt": "gamma",
    "old/pair.jpg": "jpeg",
    "old/pair.cr3": "raw",
    "old/empty.txt": "",
    "elsewhere/a.jpg": "alpha",
}
UNITED = {
    "Photos/2019/a.jpg": "alpha",
    "Photos/2019/deep/note.txt": "kept",
    "Photos/2019/deep/note (2).txt": "another note",
    "Photos/2019/deep/only here.txt": "gamma",
    "Photos/2019/pair.jpg": "jpeg",
    "Photos/2019/pair.cr3": "raw",
    "Photos/2019/empty.txt": "",
    "elsewhere/a.jpg": "alpha",
}
OPTIONS = OrganizeOptions(mode="mirror", merge_from="old", merge_into="Photos/2019")


def encoded(tree):
    return {key: text.encode() for key, text in tree.items()}


@pytest.mark.parametrize("kind", ["local", "s3", "folding"])
def test_two_folders_are_united_and_put_back(kind, tmp_path, request):
    if kind == "local":
        root = local_root("in", tmp_path)
    elif kind == "s3":
        calls = request.getfixturevalue("s3_calls")
        root = s3_root("in", tmp_path, request.getfixturevalue("s3_bucket"), calls)
    else:
        root = memory_root("merge", tmp_path, is_folding=True)
    root.write(TREE)
    arena = Arena(root, root)
    before = arena.hashes()
    job_id = arena.begin(to_rows(merge_moves(root.scan(), options=OPTIONS), Move), OPTIONS)
    arena.work(job_id)
    assert set(arena.states(job_id)) == {"done"}
    assert root.tree() == encoded(UNITED)
    assert sorted(root.trash()) == ["old/a.jpg", "old/pair.jpg", "old/renamed copy.jpg"]
    assert arena.hashes() == before
    for each in arena.journal.operations(job_id):
        if each.action == Action.TRASH:
            assert each.receipt["kept_sha256"] == each.sha256
            assert each.receipt["kept_key"].startswith("Photos/2019/")
    arena.undo(job_id)
    assert root.tree() == encoded(TREE)
    assert root.trash() == {}


def test_what_changed_since_the_plan_stays(tmp_path):
    root = local_root("in", tmp_path)
    root.write(TREE)
    arena = Arena(root, root)
    moves = to_rows(merge_moves(root.scan(), options=OPTIONS), Move)
    root.write({"Photos/2019/a.jpg": "edited keeper", "Photos/2019/pair.cr3": "somebody else's"})
    before = arena.hashes()
    job_id = arena.begin(moves, OPTIONS)
    arena.work(job_id)
    assert arena.hashes() == before
    for key in ("old/a.jpg", "old/renamed copy.jpg", "old/pair.jpg", "old/pair.cr3"):
        assert root.read(key) == TREE[key].encode()
    assert root.read("Photos/2019/pair.cr3") == b"somebody else's"


def test_killed_before_any_step_it_goes_on_and_ends_the_same(tmp_path):
    tree = {key: TREE[key] for key in TREE if "copy" not in key and "deep" not in key}
    ends = []
    for crash_before in itertools.count():
        folder = tmp_path / f"{crash_before}"
        world = World.make(folder, tree)
        start = facts(world.source_root)
        store, _ = world.open()
        arena = Arena(Root(store, folder), Root(store, folder))
        moves = to_rows(merge_moves(arena.source.scan(), options=OPTIONS), Move)
        job_id = arena.begin(moves, OPTIONS)
        operations = arena.journal.operations(job_id)
        world.begin(operations, job_id)
        contents = hashes(world.source_root)
        try:
            world.work(job_id, steps=Steps(crash_before))
        except Crash:
            world.work(job_id)
        else:
            break
        assert hashes(world.source_root) == contents
        assert not debris(world.source_root)
        ends.append(sorted(key for key in facts(world.source_root)))
        assert start.keys() != facts(world.source_root).keys()
    assert len(ends) > 5
    assert all(end == ends[0] for end in ends)


@pytest.fixture
def settings(tmp_path, database_url, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    yield Settings()
    close_pools()


def test_a_merge_is_a_plan_like_any_other(tmp_path, settings):
    folder = make_tree(tmp_path / "pictures", TREE)
    (folder / "old" / "link").symlink_to("a.jpg")
    before, url = facts(folder), canonical_url(str(folder))
    lake = open_lake(settings.lake)
    with Ledger(settings.database_url.get_secret_value()) as ledger, open_store(url) as store:
        root_id = ledger.root_for(url).id
        job = ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=JobKind.ORGANIZE,
                account_id=ledger.local_account(),
                status=JobStatus.PENDING,
                source_url=url,
                destination_url=url,
                source_root_id=root_id,
                destination_root_id=root_id,
                options=OPTIONS,
            )
        )
        assert ledger.job(job.id).options == OPTIONS
        files = lake.write_part(
            Root(store, tmp_path).scan(), uri="f.parquet", table_name=Fingerprint.__name__
        )
        link = ListingProblem(key="old/link", reason="a symbolic link")
        problems = lake.write_part(
            to_table([link], ListingProblem), uri="p.parquet", table_name="problems"
        )
        plan_id = make_merge_plan.fn(job.id, files, problems)
        assert make_merge_plan.fn(job.id, files, problems) == plan_id
        totals = ledger.plan(plan_id).totals
        assert (totals.moves, totals.trashes, totals.refusals) == (4, 3, 0)
        assert (totals.files_total, totals.problems) == (7, 1)
        ledger.approve(plan_id, by="test")
        total = apply_task.begin_apply.fn(job.id)
        epoch = ledger.acquire_lease(job.id, "test", 60)
        ledger.set_status(job.id, JobStatus.RUNNING, epoch=epoch)
        apply_task.apply_batch.fn(job.id, epoch, 0, total - 1)
        found = apply_task.finish_apply.fn(job.id)
        assert (found["done"], found["errors_count"]) == (7, 0)
        assert (folder / "old" / "link").is_symlink()
        ledger.set_status(job.id, JobStatus.COMPLETED, epoch=epoch)
        undo = ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=JobKind.UNDO,
                account_id=job.account_id,
                status=JobStatus.PENDING,
                source_url=url,
                destination_url=url,
                source_root_id=root_id,
                destination_root_id=root_id,
                target_job_id=job.id,
            )
        )
        total = apply_task.make_undo.fn(undo.id)
        epoch = ledger.acquire_lease(undo.id, "test", 60)
        ledger.set_status(undo.id, JobStatus.RUNNING, epoch=epoch)
        apply_task.apply_batch.fn(undo.id, epoch, 0, total - 1)
        apply_task.finish_apply.fn(undo.id)
    assert facts(folder) == before
