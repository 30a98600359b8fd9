"""Removals in Postgres: plans that were approved side by side do not take each other's keepers."""

import uuid

import pytest

from models.domain.jobs import (
    Job,
    JobKind,
    JobStatus,
    OrganizeOptions,
    RemovalOptions,
    deployment_of,
)
from models.domain.operations import Operation, OperationState, Outcome
from models.domain.plans import Action
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


def new_job(ledger, url="file:///in"):
    root = ledger.root_for(url)
    return ledger.create_job(
        Job(
            id=str(uuid.uuid4()),
            kind=JobKind.DEDUPLICATE,
            account_id=None,
            status=JobStatus.PENDING,
            source_url=url,
            destination_url=url,
            source_root_id=root.id,
            destination_root_id=root.id,
            options=OrganizeOptions(removal=RemovalOptions(near=True, threshold=0.9)),
        )
    )


def trashed(job, pairs, unit=None):
    """Operations that trash each key because of its keeper."""
    return [
        Operation(
            job_id=job.id,
            seq=seq,
            unit_id=unit or f"u{seq}",
            action=Action.TRASH,
            source_url=job.source_url,
            source_key=key,
            destination_url=job.source_url,
            destination_key=f".fileorganizer/trash/{job.id}/{key}",
            size_bytes=1,
            modified_ns=1,
            sha256="ab",
            version="v",
            keeper_key=keeper,
        )
        for seq, (key, keeper) in enumerate(pairs)
    ]


def states(ledger, job):
    return [str(each.state) for each in ledger.operations(job.id)]


def test_what_another_open_job_keeps_or_removes_is_refused_with_its_unit(ledger):
    first, second, third = (new_job(ledger) for _ in range(3))
    ledger.begin(first.id, trashed(first, [("b", "a"), ("c", "a")]), [])
    assert states(ledger, first) == ["planned", "planned"]
    ledger.begin(second.id, trashed(second, [("a", "z"), ("x", "b"), ("y", "z")]), [])
    assert states(ledger, second) == ["refused", "refused", "planned"]
    assert all("another job" in each.error for each in ledger.operations(second.id)[:2])
    ledger.begin(third.id, trashed(third, [("p", "z"), ("q", "c")], unit="pair"), [])
    assert states(ledger, third) == ["refused", "refused"]


def test_what_is_over_and_what_is_elsewhere_is_no_rival(ledger):
    first, second, elsewhere = new_job(ledger), new_job(ledger), new_job(ledger, "file:///other")
    ledger.begin(first.id, trashed(first, [("b", "a")]), [])
    ledger.begin(elsewhere.id, trashed(elsewhere, [("a", "b")]), [])
    assert states(ledger, elsewhere) == ["planned"]
    epoch = ledger.acquire_lease(first.id, "worker", 30.0)
    ledger.record(first.id, epoch, [Outcome(seq=0, state=OperationState.DONE, receipt={"k": "v"})])
    ledger.begin(second.id, trashed(second, [("a", "z")]), [])
    assert states(ledger, second) == ["planned"]
    ledger.begin(second.id, trashed(second, [("a", "z")]), [])
    assert states(ledger, second) == ["planned"]


def test_a_removal_is_carried_out_by_the_flow_that_organizes(ledger):
    job = new_job(ledger)
    assert deployment_of(job.kind) == "organize/organize"
    assert ledger.job(job.id).options.removal == RemovalOptions(near=True, threshold=0.9)
