"""The journal: written whole, recorded once, fenced, quick."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.domain.errors import ConflictError, InvalidError
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.operations import FolderRow, Operation, OperationState, Outcome
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

DONE, FAILED, COPIED = OperationState.DONE, OperationState.FAILED, OperationState.COPIED
HARD_NAMES = (
    "plain.txt",
    "tab\there",
    "line\nbreak",
    "\\N",
    "\\.",
    "a\n\\.\nb",
    "back\\slash",
    'quo"te, comma',
    "carriage\r\nreturn",
    " leading",
    "é",
    "e\u0301",
    "\u2028",
    "🙂",
    "",
    "\x7f\x01",
)


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


@pytest.fixture
def job(ledger):
    return new_job(ledger)


def new_job(ledger):
    source, destination = ledger.root_for("file:///in"), ledger.root_for("file:///out")
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=JobKind.ORGANIZE,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=source.url,
            destination_url=destination.url,
            source_root_id=source.id,
            destination_root_id=destination.id,
        )
    )


def operation(job, seq, **values):
    plain = {
        "job_id": job.id,
        "seq": seq,
        "unit_id": f"u{seq}",
        "action": "move",
        "source_url": job.source_url,
        "source_key": f"in/{seq}.jpg",
        "destination_url": job.destination_url,
        "destination_key": f"out/{seq}.jpg",
        "size_bytes": 2**40 + seq,
        "modified_ns": 1_700_000_000_000_000_000 + seq,
        "sha256": f"{seq:064x}",
        "version": f"{seq}-1-1",
    }
    return Operation(**{**plain, **values})


def test_the_journal_gives_back_what_was_written_whatever_the_names(ledger, job):
    rows = [
        operation(
            job,
            seq,
            unit_id=name,
            source_key=name,
            destination_key=name + "x",
            version=name,
            keeper_key=name if seq % 2 else None,
            reason=name,
            error=name if seq % 3 else None,
            receipt={"name": name, "quote'\"": "\\"} if seq % 2 else None,
            destination_version=name if seq % 3 else None,
            state=OperationState.PLANNED,
        )
        for seq, name in enumerate(HARD_NAMES)
    ]
    folders = [
        FolderRow(key=name, url=job.source_url, existed=True, mode=0o755, modified_ns=seq)
        for seq, name in enumerate(HARD_NAMES)
    ]
    folders.append(FolderRow(key="new", url=job.destination_url, existed=False))
    ledger.begin(job.id, rows, folders)
    assert ledger.operations(job.id) == rows
    assert sorted(map(repr, ledger.folders(job.id))) == sorted(map(repr, folders))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), max_size=8))
def test_any_names_survive(ledger, names):
    job = new_job(ledger)
    rows = [
        operation(job, seq, source_key=name, destination_key=name, reason=name)
        for seq, name in enumerate(names)
    ]
    ledger.begin(job.id, rows, [])
    assert ledger.operations(job.id) == rows


def test_beginning_again_changes_nothing(ledger, job):
    rows = [operation(job, seq) for seq in range(5)]
    ledger.begin(job.id, rows, [])
    epoch = ledger.acquire_lease(job.id, "w", 30)
    ledger.record(job.id, epoch, [Outcome(seq=2, state=DONE, destination_version="d")])
    before = ledger.operations(job.id)
    ledger.begin(job.id, rows, [FolderRow(key="late", url=job.source_url, existed=True)])
    assert ledger.operations(job.id) == before
    assert ledger.folders(job.id) == []
    with pytest.raises(ConflictError):
        ledger.begin(job.id, rows[:4], [])


def test_two_that_begin_at_once_write_it_once(ledger, job):
    rows = [operation(job, seq) for seq in range(2000)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ledger.begin(job.id, rows, []), range(4)))
    assert ledger.operation_counts(job.id) == {OperationState.PLANNED: 2000}


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda job: [operation(job, 1)], "seq"),
        (lambda job: [operation(job, 0), operation(job, 0)], "seq"),
        (lambda job: [operation(job, 0, source_url="file:///elsewhere")], "no storage root"),
        (lambda job: [operation(job, 0, source_key="nul\x00")], "cannot store"),
    ],
)
def test_a_journal_that_makes_no_sense_is_refused_whole(ledger, job, make, what):
    with pytest.raises(InvalidError, match=what):
        ledger.begin(job.id, make(job), [])
    assert ledger.operations(job.id) == []


def test_operations_can_be_read_in_parts(ledger, job):
    rows = [operation(job, seq) for seq in range(10)]
    ledger.begin(job.id, rows, [])
    epoch = ledger.acquire_lease(job.id, "w", 30)
    ledger.record(job.id, epoch, [Outcome(seq=s, state=FAILED, error="e") for s in (3, 7)])
    assert [o.seq for o in ledger.operations(job.id, after_seq=4, limit=3)] == [5, 6, 7]
    assert [o.seq for o in ledger.operations(job.id, states=[FAILED])] == [3, 7]
    assert [o.seq for o in ledger.operations(job.id, states=[FAILED], after_seq=3)] == [7]
    assert ledger.operation_counts(job.id) == {FAILED: 2, OperationState.PLANNED: 8}


def test_outcomes_are_recorded_and_the_same_again_changes_nothing(ledger, job):
    ledger.begin(job.id, [operation(job, seq) for seq in range(4)], [])
    epoch = ledger.acquire_lease(job.id, "w", 30)
    outcomes = [
        Outcome(seq=0, state=COPIED, destination_version="v0", receipt={"read": "it's"}),
        Outcome(seq=1, state=DONE, destination_version="v1"),
        Outcome(seq=2, state=FAILED, error="disk\nfull"),
    ]
    for _ in range(2):
        ledger.record(job.id, epoch, outcomes)
    ledger.record(job.id, epoch, [Outcome(seq=0, state=DONE)])
    first, second, third, fourth = ledger.operations(job.id)
    assert (first.state, first.destination_version) == (DONE, "v0")
    assert first.receipt == {"read": "it's"}
    assert (second.state, second.destination_version) == (DONE, "v1")
    assert (third.state, third.error) == (FAILED, "disk\nfull")
    assert fourth.state is OperationState.PLANNED


@pytest.mark.parametrize(
    "contradiction",
    [
        Outcome(seq=0, state=FAILED, error="no"),
        Outcome(seq=0, state=COPIED),
        Outcome(seq=9, state=DONE),
    ],
)
def test_the_journal_only_goes_forward_and_a_contradicted_batch_is_absent(
    ledger, job, contradiction
):
    ledger.begin(job.id, [operation(job, seq) for seq in range(3)], [])
    epoch = ledger.acquire_lease(job.id, "w", 30)
    ledger.record(job.id, epoch, [Outcome(seq=0, state=DONE)])
    with pytest.raises(ConflictError, match="already"):
        ledger.record(job.id, epoch, [Outcome(seq=1, state=DONE), contradiction])
    assert ledger.operation_counts(job.id) == {DONE: 1, OperationState.PLANNED: 2}


@pytest.mark.scenario(16)
def test_a_worker_that_lost_its_lease_records_nothing(ledger, job):
    ledger.begin(job.id, [operation(job, 0)], [])
    old = ledger.acquire_lease(job.id, "a", -1)
    new = ledger.acquire_lease(job.id, "b", 30)
    with pytest.raises(ConflictError, match="another worker"):
        ledger.record(job.id, old, [Outcome(seq=0, state=DONE)])
    with pytest.raises(ConflictError):
        ledger.record(job.id, old, [])
    ledger.record(job.id, new, [])
    assert ledger.operation_counts(job.id) == {OperationState.PLANNED: 1}


def test_a_hundred_thousand_operations(ledger, job):
    rows = [operation(job, seq) for seq in range(100_000)]
    ledger.begin(job.id, rows, [])
    epoch = ledger.acquire_lease(job.id, "w", 300)
    for first in range(0, len(rows), 5000):
        batch = range(first, first + 5000)
        ledger.record(
            job.id, epoch, [Outcome(seq=s, state=DONE, destination_version=f"v{s}") for s in batch]
        )
    assert ledger.operation_counts(job.id) == {DONE: 100_000}
    assert ledger.operations(job.id, after_seq=99_998)[0].destination_version == "v99999"
