"""Duplicates of a connected folder over HTTP: scanned and removed by jobs, and brought back."""

import secrets
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from flow_stack import contents_of, facts_of

from deploy.embedded.addresses import running_stack
from models.domain.jobs import TERMINAL
from models.settings import Settings

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack")]

FILES = {"a/one.txt": "same " * 500, "b/one.txt": "same " * 500, "b/copy.txt": "same " * 500}
PASSWORD = "correct horse battery staple 42"


def test_named_files_leave_a_connected_folder_by_a_job_and_come_back(stack, ledger, command):
    addresses = running_stack(Settings(home=Path(stack["FILEORGANIZER_HOME"])))
    assert addresses is not None
    assert addresses.api_url is not None
    folder = Path(stack["FILEORGANIZER_ALLOWED_FOLDERS"]) / "removal"
    for name, text in {**FILES, "b/other.txt": "another"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before, facts = contents_of(folder), facts_of(folder)
    with httpx.Client(base_url=f"{addresses.api_url}/v1", timeout=60) as http:
        deadline = time.monotonic() + 120
        while not lives(http):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        name = f"own{secrets.token_hex(4)}"
        body = {"email": f"{name}@example.com", "password": PASSWORD, "username": name}
        signed_in = http.post("/auth/register", json=body).json()
        http.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        connect = http.post("/connections", json={"type": "local", "root": str(folder)})
        assert connect.status_code == 201, connect.text
        source = {"source_path": connect.json()["connection"]["source_path"]}
        scan = http.post("/duplicates/scan", json=source)
        assert scan.status_code == 202, scan.text
        scanned = ends(ledger, scan.json()["job"]["id"])
        assert scanned.status == "completed", scanned.error
        root = scanned.source_root_id
        (group,) = http.get("/duplicates").json()["duplicate_groups"]
        original = group["original_file"]
        one, other = (each["file"] for each in group["duplicates"])

        answer = http.post("/duplicates/delete", json={"file_ids": [one["id"]]}).json()
        (job,) = answer["jobs"]
        done = ends(ledger, job["id"])
        assert done.status == "completed", done.error
        if job["status"] == "completed":
            assert (answer["deleted_count"], answer["space_freed_bytes"]) == (1, 2500)
        left = {each["storage_key"] for each in live(addresses, root)}
        assert len(left) == 3
        assert {original["id"], other["id"]} < {each["id"] for each in live(addresses, root)}
        assert contents_of(folder) == before

        kept = http.post(
            "/duplicates/delete",
            json={"file_ids": [original["id"], other["id"]], "keep_original": False},
        ).json()
        assert (kept["deleted_count"], kept["jobs"]) == (0, [])
        assert {each["reason"] for each in kept["skipped"]} == {"last_copy"}
        told = http.get("/notifications").json()["notifications"]
        assert [each["title"] for each in told] == [
            "Removing duplicates is done",
            "Looking for duplicates is done",
        ]
    command("undo", job["id"])
    assert facts_of(folder) == facts


def lives(http):
    try:
        return http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def ends(ledger, job_id):
    deadline = time.monotonic() + 200
    while (job := ledger.job(job_id)).status not in TERMINAL:
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    return job


def live(addresses, root):
    with psycopg.connect(addresses.database_url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT id::text, storage_key FROM files WHERE root_id = %s AND deleted_at IS NULL",
            [root],
        ).fetchall()
    return [{"id": row[0], "storage_key": row[1]} for row in rows]
