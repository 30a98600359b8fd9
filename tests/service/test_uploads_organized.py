"""Organizing uploads: rows change in one transaction, no byte moves, and an undo is exact."""

import hashlib
import uuid

import psycopg
import pytest

from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions
from models.domain.operations import OperationState
from models.domain.organizing import OnDuplicate
from models.domain.plans import Action
from models.domain.storage_roots import RootKind
from models.settings import Settings
from storage.opening import canonical_url
from tasks.apply.task import make_undo, mark_undone
from tasks.apply.uploads_task import assign_places, begin_assigning
from tasks.dedupe.task import find_duplicates
from tasks.ledger.ledger import open_ledger
from tasks.plan.task import list_destination, make_plan
from tasks.plan.uploads_task import list_uploads

pytestmark = pytest.mark.service

UPLOADS = (
    ("beach.jpg", None, "Photos", "1", {"captured_at": "2021-07-01T10:00:00"}),
    ("beach.jpg", None, "Photos", "2", {"captured_at": "2022-07-01T10:00:00"}),
    ("copy of beach.jpg", None, "Photos", "1", {"captured_at": "2021-07-01T10:00:00"}),
    ("report.pdf", "batch-1/report.pdf", "Work", "3", {}),
    ("other.pdf", "batch-10/other.pdf", "Work", "4", {}),
)


@pytest.fixture
def connection(monkeypatch, tmp_path, database_url):
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def root(tmp_path, connection):
    """The managed root of the local account, with uploads that only the catalog knows."""
    folder = tmp_path / "storage"
    folder.mkdir()
    with open_ledger(Settings()) as ledger:
        found = ledger.root_for(canonical_url(str(folder)), kind=RootKind.MANAGED)
    for number, (name, path, category, content, details) in enumerate(UPLOADS):
        facts = psycopg.types.json.Jsonb(
            {"media": "image", "captured_source": "exif" if details else "modified", **details}
        )
        connection.execute(
            "INSERT INTO files (user_id, root_id, storage_key, filename, virtual_path,"
            " storage_path, file_size_bytes, sha256_hash, storage_version, modified_ns, category,"
            " metadata, created_at) VALUES (%s, %s, %s, %s, %s, 'x', 3, %s, 'v', %s, %s, %s,"
            " now() + %s * interval '1 second')",
            [
                found.account_id,
                found.id,
                str(uuid.uuid4()),
                name,
                path,
                hashlib.sha256(content.encode()).hexdigest(),
                1_600_000_000_000_000_000,
                category,
                facts,
                number,
            ],
        )
    return found


def new_job(root, *, kind=JobKind.ORGANIZE, target=None, **options):
    with open_ledger(Settings()) as ledger:
        return ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=kind,
                account_id=root.account_id,
                status=JobStatus.PENDING,
                source_url=root.url,
                destination_url=root.url,
                source_root_id=root.id,
                destination_root_id=root.id,
                target_job_id=target,
                options=OrganizeOptions(**options),
            )
        )


def planned(job):
    listed = list_uploads.fn(job.id)
    duplicates = find_duplicates.fn(job.id, listed.fingerprints, listed.categories)
    existing = list_destination.fn(job.id, listed.manifest)
    plan_id = make_plan.fn(
        job.id,
        listed.fingerprints,
        listed.categories,
        duplicates,
        existing,
        listed.problems,
    )
    with open_ledger(Settings()) as ledger:
        return ledger.plan(plan_id)


def enacted(job, plan=None):
    with open_ledger(Settings()) as ledger:
        if plan is not None:
            ledger.approve(plan.id, by="test")
        epoch = ledger.acquire_lease(job.id, "w", 60)
    if plan is not None:
        begin_assigning.fn(job.id)
    return assign_places.fn(job.id, epoch)


def shown(connection):
    rows = connection.execute(
        "SELECT coalesce(virtual_path, filename), filename FROM files ORDER BY created_at"
    )
    return rows.fetchall()


def test_uploads_get_places_and_an_undo_gives_back_what_was(connection, root):
    before = connection.execute(
        "SELECT id, virtual_path, filename, storage_key, storage_path FROM files ORDER BY id"
    ).fetchall()
    job = new_job(root, on_duplicate=OnDuplicate.SKIP)
    plan = planned(job)
    assert {each.action for each in plan.sample} == {Action.ASSIGN}
    assert (plan.totals.assigns, plan.totals.skips, plan.totals.moves) == (4, 1, 0)
    facts = enacted(job, plan)
    assert (facts["done"], facts["files_moved"], facts["errors_count"]) == (4, 4, 0)
    assert [path for path, _ in shown(connection)] == [
        "Photos/2021/beach.jpg",
        "Photos/2022/beach (2).jpg",
        "copy of beach.jpg",
        "Work/2020/report.pdf",
        "Work/2020/other.pdf",
    ]
    assert assign_places.fn(job.id, 1) == facts
    # The flow that follows their upload has still to come.
    unread = "SELECT count(*) FROM files WHERE last_job_id IS NULL"
    assert connection.execute(unread).fetchone() == (len(UPLOADS),)
    undo = new_job(root, kind=JobKind.UNDO, target=job.id)
    with open_ledger(Settings()) as ledger:
        ledger.set_status(job.id, JobStatus.RUNNING)
        ledger.set_status(job.id, JobStatus.COMPLETED)
    assert make_undo.fn(undo.id) == 4
    assert enacted(undo)["done"] == 4
    mark_undone.fn(undo.id)
    after = connection.execute(
        "SELECT id, virtual_path, filename, storage_key, storage_path FROM files ORDER BY id"
    ).fetchall()
    assert after == before


def test_only_what_is_below_the_folder_is_organized_and_stays_below_it(connection, root):
    job = new_job(root, mode="extension", below="batch-1")
    plan = planned(job)
    assert [(each.source, each.destination) for each in plan.sample] == [
        ("report.pdf", "pdf/report.pdf")
    ]
    enacted(job, plan)
    assert ("batch-1/pdf/report.pdf", "report.pdf") in shown(connection)
    assert ("batch-10/other.pdf", "other.pdf") in shown(connection)


def test_what_was_changed_or_deleted_since_the_plan_is_refused(connection, root):
    job = new_job(root, mode="extension", on_duplicate=OnDuplicate.KEEP)
    plan = planned(job)
    connection.execute("UPDATE files SET filename = 'mine.pdf' WHERE filename = 'other.pdf'")
    connection.execute("UPDATE files SET deleted_at = now() WHERE filename = 'report.pdf'")
    facts = enacted(job, plan)
    assert (facts["done"], facts["refused"], facts["errors_count"]) == (3, 2, 2)
    assert ("batch-10/other.pdf", "mine.pdf") in shown(connection)
    with open_ledger(Settings()) as ledger:
        refused = ledger.operations(job.id, states=[OperationState.REFUSED])
        digest = ledger.uploads_digest(root.id, "")
    assert all("after the plan" in (each.error or "") for each in refused)
    assert digest != plan.listing


def test_a_worker_that_lost_its_lease_gives_no_places(connection, root):
    job = new_job(root, mode="extension")
    plan = planned(job)
    before = shown(connection)
    with open_ledger(Settings()) as ledger:
        ledger.approve(plan.id, by="test")
        ledger.acquire_lease(job.id, "w", -1)
        ledger.acquire_lease(job.id, "other", 60)
    begin_assigning.fn(job.id)
    with pytest.raises(Exception, match="another worker"):
        assign_places.fn(job.id, 1)
    assert shown(connection) == before
