"""`/organize`: jobs, previews, operations; the specification's shapes, limits, tenants."""

import os
import uuid
from pathlib import Path

import pytest
from api_world import api_settings, app_of, newcomer, sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import create_app
from models.domain.jobs import JobStatus
from models.domain.listings import listing_digest
from storage.opening import canonical_url, open_store
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

BODY = {
    "source_path": "/uploads/batch-123",
    "organization_mode": "category_year",
    "operation_type": "move",
    "options": {"skip_duplicates": True, "create_backup": False, "apply_icons": True},
}
"""The example of the specification."""

JOB = {
    "id",
    "status",
    "progress",
    "files_processed",
    "files_moved",
    "duplicates_found",
    "errors_count",
    "started_at",
    "estimated_completion",
}
"""Fields of `GET /organize/jobs/{job_id}`."""


@pytest.fixture
def api(tmp_path, database_url):
    """A client of an API that lets customers connect folders below `allowed`."""
    allowed = (tmp_path / "allowed",)
    app = create_app(api_settings(tmp_path / "home", database_url, allowed_folders=allowed))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def ledger(api):
    yield Ledger(app_of(api).state.settings.database_url.get_secret_value())
    close_pools()


@pytest.fixture
def someone(api):
    return newcomer(api, plan="pro")


def ask(api, who, method, path, **given):
    return api.request(method, f"/v1/organize{path}", headers=who.headers, **given)


def create(api, who, **changed):
    answer = ask(api, who, "POST", "/jobs", json={**BODY, **changed})
    assert answer.status_code == 202, answer.text
    return answer.json()["job"]["id"]


def finish(ledger, job_id, status=JobStatus.COMPLETED):
    ledger.set_status(job_id, JobStatus.RUNNING)
    ledger.set_status(job_id, status, error="broken" if status is JobStatus.FAILED else None)


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["detail"]


def test_a_job_is_accepted_with_the_fields_and_the_launch_of_the_specification(api, someone):
    answer = ask(api, someone, "POST", "/jobs", json=BODY)
    assert answer.status_code == 202
    document = answer.json()
    assert set(document) == {"job"}
    assert set(document["job"]) == {"id", "status", "created_at"}
    assert document["job"]["status"] == "pending"
    job_id = document["job"]["id"]
    assert answer.headers["location"] == f"/v1/organize/jobs/{job_id}"
    rows = sql(
        api,
        "SELECT o.payload ->> 'deployment', j.approves_itself, j.organization_mode,"
        " j.operation_type, j.options ->> 'on_duplicate', j.options ->> 'below',"
        " j.entitlement_snapshot ->> 'plan', r.kind FROM organization_jobs j"
        " JOIN outbox_events o ON o.job_id = j.id JOIN storage_roots r ON r.id = j.source_root_id"
        " WHERE j.id = %s",
        job_id,
    )
    assert rows == [
        ("organize/organize", True, "category_year", "move", "skip", "batch-123", "pro", "managed")
    ]
    shown = ask(api, someone, "GET", f"/jobs/{job_id}")
    assert shown.status_code == 200
    assert set(shown.json()) == {"job"}
    assert set(shown.json()["job"]) == JOB
    listed = ask(api, someone, "GET", "/jobs?per_page=1").json()
    assert set(listed) == {"jobs", "pagination"}
    assert set(listed["jobs"][0]) == JOB
    assert listed["pagination"]["total"] == 1


def test_progress_grows_to_100_only_by_completing_and_the_end_is_foreseen_from_5_percent(
    api, someone, ledger
):
    job_id = create(api, someone)
    ledger.set_status(job_id, JobStatus.RUNNING)
    seen = []
    for ratio in (0.01, 0.04, 0.3, 0.2, 1.0):
        ledger.set_progress(job_id, phase="p", progress_ratio=ratio, files_processed=7)
        seen.append(ask(api, someone, "GET", f"/jobs/{job_id}").json()["job"])
    assert [job["progress"] for job in seen] == [1.0, 4.0, 30.0, 30.0, 99.9]
    assert [job["estimated_completion"] is None for job in seen] == [True, True] + 3 * [False]
    assert seen[-1]["files_processed"] == 7
    ledger.set_status(job_id, JobStatus.COMPLETED)
    done = ask(api, someone, "GET", f"/jobs/{job_id}").json()["job"]
    assert (done["status"], done["progress"]) == ("completed", 100.0)


def test_a_job_is_canceled_once(api, someone, ledger):
    waiting, running, done = (create(api, someone) for _ in range(3))
    answer = ask(api, someone, "DELETE", f"/jobs/{waiting}")
    assert (answer.status_code, answer.json()) == (200, {"message": "Job canceled successfully"})
    assert ask(api, someone, "GET", f"/jobs/{waiting}").json()["job"]["status"] == "canceled"
    problem(ask(api, someone, "DELETE", f"/jobs/{waiting}"), 409)
    ledger.set_status(running, JobStatus.RUNNING)
    assert ask(api, someone, "DELETE", f"/jobs/{running}").status_code == 200
    assert ask(api, someone, "GET", f"/jobs/{running}").json()["job"]["status"] == "canceling"
    assert ask(api, someone, "DELETE", f"/jobs/{running}").status_code == 200
    assert ledger.is_cancel_requested(running)
    finish(ledger, done)
    assert "completed" in problem(ask(api, someone, "DELETE", f"/jobs/{done}"), 409)
    kinds = [event.kind for event in ledger.events(waiting)]
    assert kinds == ["job:complete"]


def test_what_failed_is_tried_again_and_shown_as_pending(api, someone, ledger):
    job_id = create(api, someone)
    problem(ask(api, someone, "POST", f"/jobs/{job_id}/retry"), 409)
    finish(ledger, job_id, JobStatus.FAILED)
    answer = ask(api, someone, "POST", f"/jobs/{job_id}/retry")
    assert answer.status_code == 202
    assert set(answer.json()["job"]) == JOB
    assert answer.json()["job"]["status"] == "pending"
    problem(ask(api, someone, "POST", f"/jobs/{job_id}/retry"), 409)
    pending = ask(api, someone, "GET", "/jobs?status=pending").json()["jobs"]
    assert [job["id"] for job in pending] == [job_id]
    assert ask(api, someone, "GET", "/jobs?status=failed").json()["jobs"] == []
    assert ask(api, someone, "DELETE", f"/jobs/{job_id}").status_code == 200
    [(launches,)] = sql(api, "SELECT launches FROM organization_jobs WHERE id = %s", job_id)
    assert launches == 2
    complete = [each.attempt for each in ledger.events(job_id) if each.kind == "job:complete"]
    assert complete == [1, 2]


def test_a_job_rests_and_goes_on(api, someone, ledger):
    job_id = create(api, someone)
    problem(ask(api, someone, "POST", f"/jobs/{job_id}/resume"), 409)
    answer = ask(api, someone, "POST", f"/jobs/{job_id}/pause")
    assert (answer.status_code, answer.json()["job"]["status"]) == (202, "paused")
    assert len(ask(api, someone, "GET", "/jobs?status=paused").json()["jobs"]) == 1
    assert ask(api, someone, "GET", "/jobs?status=pending").json()["jobs"] == []
    resumed = ask(api, someone, "POST", f"/jobs/{job_id}/resume")
    assert (resumed.status_code, resumed.json()["job"]["status"]) == (202, "pending")
    ledger.set_status(job_id, JobStatus.RUNNING)
    assert ask(api, someone, "POST", f"/jobs/{job_id}/pause").status_code == 202
    assert not ledger.may_continue(job_id)
    assert "seconds" in problem(ask(api, someone, "POST", f"/jobs/{job_id}/resume"), 409)
    ledger.set_status(job_id, JobStatus.PENDING)
    assert ask(api, someone, "POST", f"/jobs/{job_id}/resume").status_code == 202
    finish(ledger, job_id)
    problem(ask(api, someone, "POST", f"/jobs/{job_id}/pause"), 409)


def test_an_undo_is_a_job_of_its_own_and_only_one(api, someone, ledger):
    job_id = create(api, someone)
    assert "cancel it" in problem(ask(api, someone, "POST", f"/jobs/{job_id}/undo"), 409)
    finish(ledger, job_id)
    answer = ask(api, someone, "POST", f"/jobs/{job_id}/undo")
    assert answer.status_code == 202
    undo = answer.json()["job"]["id"]
    assert undo != job_id
    assert answer.headers["location"].endswith(undo)
    job = ledger.job(undo)
    assert (job.kind, job.target_job_id, job.status) == ("undo", job_id, "pending")
    problem(ask(api, someone, "POST", f"/jobs/{job_id}/undo"), 409)
    problem(ask(api, someone, "POST", f"/jobs/{undo}/undo"), 409)


def test_modes_are_the_specifications(api, someone):
    modes = ask(api, someone, "GET", "/modes").json()["modes"]
    assert all(set(mode) == {"id", "description", "example_path", "plan"} for mode in modes)
    assert len(modes) == 20
    by_id = {mode["id"]: mode for mode in modes}
    assert by_id["category_year"]["example_path"] == "Photos/2024/IMG_0042.jpg"
    assert by_id["ai_category"]["plan"] == "pro"
    assert by_id["category"]["plan"] == "free"
    assert not any("{" in mode["example_path"] for mode in modes)


NONSENSE = [
    {"source_path": ""},
    {"source_path": "/etc/passwd"},
    {"source_path": "uploads"},
    {"source_path": "/uploads/../other"},
    {"source_path": "/uploads/%2e%2e/other"},
    {"source_path": "/uploads/.fileorganizer/trash"},
    {"source_path": "/uploads/a\u0000b"},
    {"source_path": "file:///etc"},
    {"source_path": "s3://bucket/prefix"},
    {"source_path": f"/uploads/{'a' * 1100}"},
    {"organization_mode": "by_color"},
    {"organization_mode": "custom"},
    {"organization_mode": "custom", "options": {"template": "../{stem}{ext}"}},
    {"options": {"template": "{category}/{stem}{ext}"}},
    {"operation_type": "delete"},
    {"operation_type": "copy"},
    {"options": {"conflict": "replace_to_trash"}},
    {"options": {"protected": ["../x"]}},
    {"options": {"destroy": True}},
    {"more": 1},
]


def test_what_makes_no_sense_is_refused(api, someone):
    for changed in NONSENSE:
        problem(ask(api, someone, "POST", "/jobs", json={**BODY, **changed}), 422)


def test_limits_of_the_plan_hold_and_say_what_to_do(api, ledger):
    free = newcomer(api)
    first = create(api, free)
    assert "concurrent jobs" in problem(ask(api, free, "POST", "/jobs", json=BODY), 402)
    finish(ledger, first)
    for _ in range(4):
        finish(ledger, create(api, free))
    assert "organize jobs per month" in problem(ask(api, free, "POST", "/jobs", json=BODY), 402)
    sql(api, "UPDATE organization_jobs SET submitted_at = now() - interval '40 days'")
    finish(ledger, create(api, free))
    ai = {**BODY, "organization_mode": "ai_category"}
    assert "free plan" in problem(ask(api, free, "POST", "/jobs", json=ai), 403)


def test_states_of_the_account_deny_what_the_price_list_says(api):
    late = newcomer(api, plan="pro")
    sql(
        api,
        "INSERT INTO subscriptions (user_id, plan_id, status) VALUES (%s, 'pro', 'unpaid')",
        late.id,
    )
    assert "read-only" in problem(ask(api, late, "POST", "/jobs", json=BODY), 403)
    full = newcomer(api, plan="pro")
    sql(api, "UPDATE users SET storage_used_bytes = 10::bigint^15 WHERE id = %s", full.id)
    copy = {**BODY, "operation_type": "copy"}
    assert "stores more" in problem(ask(api, full, "POST", "/jobs", json=copy), 403)
    create(api, full)


def test_parallel_requests_do_not_pass_the_limit(api):
    from concurrent.futures import ThreadPoolExecutor

    free = newcomer(api)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: ask(api, free, "POST", "/jobs", json=BODY).status_code, range(8))
        )
    assert sorted(answers) == [202] + 7 * [402]


def test_another_account_sees_none_of_it(api, someone, ledger):
    job_id = create(api, someone)
    finish(ledger, job_id)
    preview = ask(api, someone, "POST", "/preview", json=BODY).json()["preview"]["id"]
    other = newcomer(api, plan="pro")
    for method, path in (
        ("GET", f"/jobs/{job_id}"),
        ("DELETE", f"/jobs/{job_id}"),
        ("GET", f"/jobs/{job_id}/operations"),
        ("GET", f"/preview/{preview}"),
        *(("POST", f"/jobs/{job_id}/{verb}") for verb in ("undo", "retry", "pause", "resume")),
    ):
        problem(ask(api, other, method, path), 404)
    stolen = {**BODY, "preview_id": preview}
    problem(ask(api, other, "POST", "/jobs", json=stolen), 404)
    assert ask(api, other, "GET", "/jobs").json()["jobs"] == []
    assert ledger.job(job_id).status is JobStatus.COMPLETED
    problem(api.get("/v1/organize/jobs"), 401)
    problem(ask(api, someone, "GET", f"/jobs/{uuid.uuid4()}"), 404)
    problem(ask(api, someone, "GET", "/jobs/not-an-id"), 422)


@pytest.fixture
def connected(api, someone, tmp_path):
    """A connection of a folder with two files: its folder and its id."""
    folder = tmp_path / "allowed" / "mine"
    folder.mkdir(parents=True)
    for name in ("a.txt", "b.pdf"):
        (folder / name).write_text(name)
    url = canonical_url(str(folder))
    [(connection_id,)] = sql(
        api,
        "INSERT INTO connections (user_id, type, root_url) VALUES (%s, 'local', %s)"
        " RETURNING id::text",
        someone.id,
        url,
    )
    return folder, connection_id


def plan_into(api, ledger, job_id, *, listing):
    """What `propose` leaves behind: a plan, and a job that waits."""
    sql(
        api,
        "INSERT INTO organization_plans (job_id, plan_hash, source_url, destination_url, options,"
        " totals, moves, listing, sample) SELECT id, repeat('a', 64), source_path,"
        " destination_path, options, %s::jsonb, %s::jsonb, %s, %s::jsonb FROM organization_jobs"
        " WHERE id = %s",
        '{"files_total": 2, "bytes_total": 10, "moves": 2, "copies": 0, "trashes": 0,'
        ' "displacements": 0, "skips": 0, "refusals": 0, "assigns": 0, "bytes_to_write": 10,'
        ' "duplicate_groups": 0, "duplicates_found": 3, "space_wasted_bytes": 0, "problems": 0,'
        ' "conflicts": 1}',
        '{"uri": "x", "table": "moves", "rows": 2, "sha256": "x"}',
        listing,
        '[{"action": "move", "source": "a.txt", "destination": "txt/a.txt", "reason": "r"}]',
        job_id,
    )
    sql(api, "UPDATE organization_jobs SET plan_hash = repeat('a', 64) WHERE id = %s", job_id)
    ledger.set_status(job_id, JobStatus.RUNNING)
    ledger.set_status(job_id, JobStatus.PENDING)


def digest_of(folder: Path):
    pages = open_store(str(folder)).list_pages()
    rows = [row for page in pages for row in page.rows]
    return listing_digest((row.key, row.size_bytes, row.modified_ns, row.version) for row in rows)


def test_a_preview_is_made_shown_and_carried_out_once(api, someone, ledger, connected):
    folder, connection_id = connected
    os.utime(folder / "a.txt", (1, 1))
    body = {**BODY, "source_path": f"{connection_id}:/", "operation_type": "copy"}
    answer = ask(api, someone, "POST", "/preview", json=body)
    assert answer.status_code == 202
    made = answer.json()["preview"]
    fields = {"id", "plan_hash", "operations_total", "conflicts", "duplicates", "sample"}
    assert set(answer.json()) == {"preview"}
    assert set(made) == fields
    waiting = ask(api, someone, "GET", f"/preview/{made['id']}")
    assert (waiting.status_code, waiting.json()["preview"]["plan_hash"]) == (202, None)
    too_early = ask(api, someone, "POST", "/jobs", json={**body, "preview_id": made["id"]})
    problem(too_early, 409)
    plan_into(api, ledger, made["id"], listing=digest_of(folder))
    ready = ask(api, someone, "GET", f"/preview/{made['id']}")
    assert ready.status_code == 200
    assert ready.json()["preview"] == {
        "id": made["id"],
        "plan_hash": "a" * 64,
        "operations_total": 2,
        "conflicts": 1,
        "duplicates": 3,
        "sample": [{"from": "a.txt", "to": "txt/a.txt", "reason": "r"}],
    }
    assert ask(api, someone, "GET", "/jobs").json()["jobs"] == []
    confirm = {**body, "preview_id": made["id"]}
    problem(ask(api, someone, "POST", "/jobs", json={**confirm, "operation_type": "move"}), 409)
    created = ask(api, someone, "POST", "/jobs", json=confirm)
    assert created.status_code == 202
    assert created.json()["job"]["id"] == made["id"]
    problem(ask(api, someone, "POST", "/jobs", json=confirm), 409)
    assert ledger.approved_plan(made["id"]).approved_by == someone.id
    deployments = sql(api, "SELECT payload ->> 'deployment' FROM outbox_events ORDER BY id")
    assert deployments == [("propose/propose",), ("enact/enact",)]
    assert len(ask(api, someone, "GET", "/jobs").json()["jobs"]) == 1


def test_a_source_that_changed_since_its_preview_answers_409(api, someone, ledger, connected):
    folder, connection_id = connected
    body = {**BODY, "source_path": f"{connection_id}:/"}
    made = ask(api, someone, "POST", "/preview", json=body).json()["preview"]["id"]
    plan_into(api, ledger, made, listing=digest_of(folder))
    (folder / "c.txt").write_text("new")
    answer = ask(api, someone, "POST", "/jobs", json={**body, "preview_id": made})
    assert "changed" in problem(answer, 409)
    assert ledger.job(made).submitted_at is None


def test_operations_are_read_in_parts_and_by_state(api, someone, ledger):
    job_id = create(api, someone)
    for seq in range(5):
        sql(
            api,
            "INSERT INTO organization_operations (job_id, seq, source_root_id,"
            " destination_root_id, size_bytes, modified_ns, unit_id, action, state, source_key,"
            " destination_key, sha256, version, error) SELECT id, %s, source_root_id,"
            " destination_root_id, 1, 1, 'u', 'move', %s, %s, 'to', 'abc', 'v', %s"
            " FROM organization_jobs WHERE id = %s",
            seq,
            "failed" if seq == 3 else "done",
            f"from-{seq}",
            "no" if seq == 3 else None,
            job_id,
        )
    first = ask(api, someone, "GET", f"/jobs/{job_id}/operations?limit=3").json()
    assert [each["seq"] for each in first["operations"]] == [0, 1, 2]
    assert set(first["operations"][0]) == {"seq", "from", "to", "sha256", "state", "error"}
    cursor = first["pagination"]["next_cursor"]
    rest = ask(api, someone, "GET", f"/jobs/{job_id}/operations?limit=3&cursor={cursor}").json()
    assert [each["seq"] for each in rest["operations"]] == [3, 4]
    assert rest["pagination"]["next_cursor"] is None
    failed = ask(api, someone, "GET", f"/jobs/{job_id}/operations?state=failed").json()
    assert [(each["from"], each["error"]) for each in failed["operations"]] == [("from-3", "no")]
    problem(ask(api, someone, "GET", f"/jobs/{job_id}/operations?cursor=WyJ4Il0"), 422)


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(["..", ".", "%2e%2e", "\u2024\u2024", "~", "$HOME", "..;", "a", "", " .."]),
        max_size=6,
    ).map("/".join),
).map(lambda tail: f"/uploads/{tail}")


@given(HOSTILE)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_paths_never_leave_the_account(api, someone, path):
    answer = ask(api, someone, "POST", "/preview", json={**BODY, "source_path": path})
    assert answer.status_code in {202, 402, 422}
    rows = sql(
        api,
        "SELECT DISTINCT r.url, j.options ->> 'below' FROM organization_jobs j"
        " JOIN storage_roots r ON r.id = j.source_root_id",
    )
    for url, below in rows:
        assert url.endswith(f"/tenants/{someone.id}")
        assert ".." not in (below or "").split("/")
