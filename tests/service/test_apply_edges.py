"""The edges of applying and verifying over a real Postgres journal, a lake and a disk."""

import os
import uuid
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from apply_world import MemoryJournal, contents, facts, make_tree

from models.domain.errors import ConflictError, ForbiddenError
from models.domain.fingerprint import Fingerprint
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.operations import FolderRow, Operation, OperationState, Outcome
from models.domain.plans import Action, Move, Plan, PlanTotals
from storage.opening import canonical_url, open_store
from tasks.apply import task as apply_task
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from tasks.verify import task as verify_task
from warehouse.schemas.arrow import to_table
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


@pytest.fixture
def lake(tmp_path, database_url, monkeypatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    return open_lake(str(tmp_path / "lake"))


def new_job(ledger, source, target, kind=JobKind.ORGANIZE, target_job_id=None):
    roots = [ledger.root_for(url) for url in (source, target)]
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=kind,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=source,
            destination_url=target,
            source_root_id=roots[0].id,
            destination_root_id=roots[1].id,
            target_job_id=target_job_id,
        )
    )


# One contract for both journals


@pytest.fixture(params=["memory", "postgres"])
def journal(request):
    """A journal, an id of a job that it may know, and a way to take the job over."""
    if request.param == "memory":
        memory = MemoryJournal()
        return memory, "job", lambda: memory.new_epoch("job")
    ledger = request.getfixturevalue("ledger")
    job = new_job(ledger, "file:///in", "file:///out")

    def take_over():
        return ledger.acquire_lease(job.id, f"worker-{uuid.uuid4()}", 0.0)

    return ledger, job.id, take_over


def row(job_id, seq, **more):
    return Operation(
        job_id=job_id,
        seq=seq,
        unit_id=f"u{seq}",
        action=Action.MOVE,
        source_url="file:///in",
        source_key=f"{seq}",
        destination_url="file:///out",
        destination_key=f"out/{seq}",
        size_bytes=seq,
        modified_ns=seq,
        sha256="ab",
        version="v",
        **more,
    )


def test_both_journals_keep_what_was_begun_and_begin_once(journal):
    book, job_id, _ = journal
    rows = [row(job_id, seq, receipt={"a": "b"} if seq else None) for seq in range(5)]
    folders = [FolderRow(key="", url="file:///in", existed=True, mode=0o755, modified_ns=1)]
    book.begin(job_id, rows, folders)
    book.begin(job_id, rows, folders)
    assert book.operations(job_id) == rows
    assert book.operations(job_id, after_seq=1, limit=2) == rows[2:4]
    assert book.folders(job_id) == folders
    with pytest.raises(ConflictError):
        book.begin(job_id, rows[:-1], folders)
    assert book.operation_counts(job_id) == {OperationState.PLANNED: 5}


def test_both_journals_go_forward_only_and_keep_what_they_know(journal):
    book, job_id, take_over = journal
    book.begin(job_id, [row(job_id, seq) for seq in range(2)], [])
    epoch = take_over()
    copied = Outcome(
        seq=0, state=OperationState.COPIED, destination_version="d", receipt={"r": "1"}
    )
    done = Outcome(seq=0, state=OperationState.DONE)
    book.record(job_id, epoch, [copied])
    book.record(job_id, epoch, [copied])
    book.record(job_id, epoch, [done, Outcome(seq=1, state=OperationState.REFUSED, error="no")])
    book.record(job_id, epoch, [done])
    first, second = book.operations(job_id)
    assert (first.state, first.destination_version, first.receipt) == ("done", "d", {"r": "1"})
    assert (second.state, second.error) == ("refused", "no")
    for wrong in (
        copied,
        Outcome(seq=0, state=OperationState.FAILED),
        Outcome(seq=9, state=OperationState.DONE),
    ):
        with pytest.raises(ConflictError):
            book.record(job_id, epoch, [wrong])
    assert book.operations(job_id, states=[OperationState.DONE]) == [first]


def test_both_journals_refuse_a_worker_that_was_taken_over(journal):
    book, job_id, take_over = journal
    book.begin(job_id, [row(job_id, 0)], [])
    old = take_over()
    book.record(job_id, old, [])
    new = take_over()
    for outcomes in ([], [Outcome(seq=0, state=OperationState.DONE)]):
        with pytest.raises(ConflictError):
            book.record(job_id, old, outcomes)
    assert book.operations(job_id)[0].state is OperationState.PLANNED
    book.record(job_id, new, [Outcome(seq=0, state=OperationState.DONE)])
    assert book.operations(job_id)[0].state is OperationState.DONE


# The edges


@pytest.fixture
def roots(tmp_path):
    source = make_tree(
        tmp_path / "in",
        {"a/1.txt": "one", "a/2.txt": "two", "dup.bin": "same", "keep.bin": "same", "c.txt": "c"},
    )
    return source, make_tree(tmp_path / "out", {"Work/old.txt": "old"})


def planned(ledger, lake, roots):
    """A job with a saved plan: two moves, a copy, a removal, a displacement."""
    urls = [canonical_url(str(root)) for root in roots]
    job = new_job(ledger, *urls)
    specs = [
        (Action.TRASH, "dup.bin", None, 0),
        (Action.MOVE, "a/1.txt", "Work/1.txt", 0),
        (Action.MOVE, "a/2.txt", "Work/2.txt", 0),
        (Action.DISPLACE, "Work/old.txt", None, 1),
        (Action.COPY, "c.txt", "Work/old.txt", 0),
        (Action.SKIP, "keep.bin", None, 0),
    ]
    moves: list[Move] = []
    for seq, (action, key, to, where) in enumerate(specs):
        with open_store(urls[where]) as store:
            found, content = store.stat(key), store.hash(key)
        moves.append(
            Move(
                seq=seq,
                unit_id="give way" if seq in {3, 4} else f"u{seq}",
                action=action,
                source_key=key,
                destination_key=to,
                size_bytes=found.size_bytes,
                modified_ns=found.modified_ns,
                sha256=content.sha256,
                version=found.version,
                keeper_key="keep.bin" if action == Action.TRASH else None,
                reason="test",
            )
        )
    uri = f"runs/{job.id}/plan/moves.parquet"
    ref = lake.write_part(to_table(moves, Move), uri=uri, table_name="moves")
    totals = PlanTotals(**dict.fromkeys(PlanTotals.__dataclass_fields__, 0))
    plan = Plan(
        id=str(uuid.uuid4()),
        job_id=job.id,
        source_url=urls[0],
        destination_url=urls[1],
        options=job.options,
        totals=totals,
        moves=ref,
        plan_hash="0" * 64,
        created_at=datetime.now(UTC),
    )
    ledger.save_plan(plan)
    return job, plan


def carried_out(ledger, job_id, total, size=2):
    epoch = ledger.acquire_lease(job_id, "worker", 30.0)
    ledger.set_status(job_id, JobStatus.RUNNING)
    for first in range(0, total, size):
        apply_task.apply_batch.fn(job_id, epoch, first, min(first + size, total) - 1)
    facts_ = apply_task.finish_apply.fn(job_id)
    ledger.set_status(job_id, JobStatus.COMPLETED)
    ledger.release_lease(job_id, "worker", epoch)
    return facts_


def test_a_job_and_its_undo_over_the_edges(ledger, lake, roots):
    before = [facts(root) for root in roots]
    job, plan = planned(ledger, lake, roots)
    with pytest.raises(ForbiddenError):
        apply_task.begin_apply.fn(job.id)
    ledger.approve(plan.id, "somebody")
    assert apply_task.begin_apply.fn(job.id) == 5
    assert apply_task.begin_apply.fn(job.id) == 5
    result = carried_out(ledger, job.id, 5)
    assert result == {
        "planned": 0,
        "copied": 0,
        "done": 5,
        "refused": 0,
        "failed": 0,
        "deferred": 0,
        "files_moved": 3,
        "bytes_moved": 7,
        "errors_count": 0,
        "folders_pruned": 1,
    }
    assert ledger.job(job.id).files_moved == 3
    assert contents(roots[1])["Work/old.txt"] == b"c"
    undo = new_job(ledger, job.source_url, job.destination_url, JobKind.UNDO, job.id)
    assert apply_task.make_undo.fn(undo.id) == 5
    assert apply_task.make_undo.fn(undo.id) == 5
    assert carried_out(ledger, undo.id, 5)["done"] == 5
    apply_task.mark_undone.fn(undo.id)
    assert ledger.job(job.id).status is JobStatus.UNDONE
    assert [facts(root) for root in roots] == before
    again = new_job(ledger, job.source_url, job.destination_url, JobKind.UNDO, job.id)
    assert apply_task.make_undo.fn(again.id) == 0


def test_a_job_that_was_canceled_half_way_is_undone_from_storage(ledger, lake, roots):
    """Storage is ahead of the journal: two moves happened, and nobody recorded them."""
    before = [facts(root) for root in roots]
    job, plan = planned(ledger, lake, roots)
    ledger.approve(plan.id, "somebody")
    apply_task.begin_apply.fn(job.id)
    (roots[1] / "Work/1.txt").write_bytes((roots[0] / "a/1.txt").read_bytes())
    stat = (roots[0] / "a/1.txt").stat()
    os.utime(roots[1] / "Work/1.txt", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    (roots[0] / "a/1.txt").unlink()
    ledger.set_status(job.id, JobStatus.RUNNING)
    undo = new_job(ledger, job.source_url, job.destination_url, JobKind.UNDO, job.id)
    with pytest.raises(ConflictError, match="cancel it"):
        apply_task.make_undo.fn(undo.id)
    ledger.set_status(job.id, JobStatus.FAILED, error="test")
    assert apply_task.make_undo.fn(undo.id) == 1
    carried_out(ledger, undo.id, 1)
    assert [facts(root) for root in roots] == before


def test_a_cancellation_is_heard_between_chunks(ledger, lake, roots):
    job, plan = planned(ledger, lake, roots)
    ledger.approve(plan.id, "somebody")
    apply_task.begin_apply.fn(job.id)
    epoch = ledger.acquire_lease(job.id, "worker", 30.0)
    ledger.set_status(job.id, JobStatus.RUNNING)
    ledger.request_cancel(job.id)
    assert apply_task.apply_batch.fn(job.id, epoch, 0, 4) == {}
    assert ledger.operation_counts(job.id) == {OperationState.PLANNED: 5}


def test_the_trash_is_emptied_by_age_in_a_job_of_its_own(ledger, lake, roots):
    job, plan = planned(ledger, lake, roots)
    ledger.approve(plan.id, "somebody")
    carried_out(ledger, job.id, apply_task.begin_apply.fn(job.id))
    assert apply_task.purge_trash.fn(job.source_root_id, 1)["files_removed"] == 0
    assert apply_task.purge_trash.fn(job.source_root_id, 0) == {
        "files_removed": 1,
        "bytes_removed": 4,
        "files_kept": 0,
    }
    assert "dup.bin" not in "".join(contents(roots[0]))
    newest = ledger.jobs(limit=1)[0]
    assert (newest.kind, newest.status) == (JobKind.PURGE, JobStatus.COMPLETED)
    receipt = ledger.operations(newest.id)[0].receipt
    assert "keeps trash for 0 days" in receipt["consent"]


def test_verify_reads_what_was_recorded_and_makes_each_part_once(ledger, lake, roots):
    job = new_job(ledger, *[canonical_url(str(root)) for root in roots], JobKind.VERIFY)
    root_id = job.source_root_id
    assert verify_task.files_to_verify.fn(job.id, root_id).rows == 0
    with open_store(job.source_url) as store:
        rows = [
            Fingerprint(
                key=found.key,
                size_bytes=found.size_bytes,
                modified_ns=found.modified_ns,
                version=found.version,
                sha256=store.hash(found.key).sha256,
            )
            for page in store.list_pages()
            for found in page.rows
        ]
    table = to_table(rows, Fingerprint)
    uri = f"runs/{job.id}/fingerprint/index.parquet"
    index = lake.write_part(table, uri=uri, table_name="fingerprints")
    ledger.set_last_index(root_id, index, job_id=job.id)
    files = verify_task.files_to_verify.fn(job.id, root_id)
    assert files.rows == len(rows)
    rotten = roots[0] / "c.txt"
    stat = rotten.stat()
    rotten.write_text("C")
    os.utime(rotten, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    (roots[0] / "a/2.txt").unlink()
    parts = [
        verify_task.verify_batch.fn(job.id, root_id, n, files, first, min(first + 2, len(rows)))
        for n, first in enumerate(range(0, len(rows), 2))
    ]
    rotten.write_text("c")
    assert parts[0] == verify_task.verify_batch.fn(job.id, root_id, 0, files, 0, 2)
    assert sum(part.rows for part in parts) == len(rows)
    assert verify_task.summarize_verification.fn(job.id, parts) == {
        "intact": 3,
        "rotten": 1,
        "edited": 0,
        "missing": 1,
        "unreadable": 0,
    }
    assert isinstance(lake.read(parts[0]), pa.Table)
