"""The client against the real API: signing in, renewing, uploading, and the command line."""

import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import time
from typing import get_type_hints

import httpx
import pytest
from api_world import api, app_of, sql
from typer.testing import CliRunner

from cli.api_client import client as client_module
from cli.api_client import shapes
from cli.api_client.client import OPERATIONS, ApiClient, open_client
from cli.api_client.sessions import SessionFile, StoredSession
from cli.api_client.transport import Transport
from cli.main import app as command
from models.domain.errors import BusyError, ForbiddenError, InvalidError, MissingError

__all__ = ["api"]

pytestmark = pytest.mark.service

PASSWORD = "correct horse battery staple 42"


def no_code():
    raise AssertionError("no second factor is on")


@pytest.fixture
def signed_in(api, tmp_path):
    client = ApiClient(api, SessionFile(tmp_path / "me"), wait=lambda _s: None)
    name = f"user{secrets.token_hex(4)}"
    client.register(f"{name}@example.com", PASSWORD, name)
    return client


def test_every_call_is_an_operation_of_the_api(api):
    paths = app_of(api).openapi()["paths"]
    missing = [
        (method, path)
        for method, path in OPERATIONS
        if method.lower() not in paths.get(f"/v1{path}", {})
    ]
    if missing:
        pytest.skip(f"{len(OPERATIONS) - len(missing)} held; not served here: {missing}")


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        (shapes.User, "UserSchema"),
        (shapes.SignedIn, "SignedInAnswer"),
        (shapes.UploadedFile, "UploadedFile"),
        (shapes.ListedFile, "ListedFile"),
        (shapes.Pagination, "Pagination"),
        (shapes.DuplicateGroup, "DuplicateGroup"),
        (shapes.SimilarFile, "SimilarFile"),
        (shapes.DuplicatePage, "DuplicateGroups"),
        (shapes.DeletedDuplicates, "DeletedDuplicates"),
        (shapes.SearchPage, "SearchResults"),
        (shapes.Dashboard, "DashboardView"),
        (shapes.JobCreated, "JobCreated"),
        (shapes.Job, "JobDocument"),
    ],
)
def test_shapes_are_those_of_the_openapi_document(api, shape, schema):
    schemas = app_of(api).openapi()["components"]["schemas"]
    if schema not in schemas:
        pytest.skip(f"{schema} is not served here")
    assert set(get_type_hints(shape)) == set(schemas[schema]["properties"])


def test_the_sign_in_is_kept_for_its_owner_alone_and_ends_with_logout(signed_in, tmp_path):
    path = tmp_path / "me" / "api-session.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signed_in.dashboard()["files"]["total_count"] == 0
    signed_in.logout()
    assert not path.exists()
    with pytest.raises(ForbiddenError, match="fileorganizer login"):
        signed_in.dashboard()


def test_tokens_that_ran_out_are_renewed_by_one_of_many(api, signed_in, tmp_path):
    sessions = SessionFile(tmp_path / "me")
    kept = sessions.load()
    sessions.save(
        StoredSession(url=kept.url, access_token="stale", refresh_token=kept.refresh_token)
    )
    assert signed_in.dashboard()["files"]["total_count"] == 0
    renewed = sessions.load()
    assert renewed.access_token not in {"stale", kept.access_token}
    assert renewed.refresh_token != kept.refresh_token
    sessions.save(StoredSession(url=kept.url, access_token="stale", refresh_token="x"))
    with pytest.raises(ForbiddenError, match="sign-in has ended"):
        signed_in.dashboard()


def test_signing_in_with_a_wrong_password_is_told(api, signed_in, tmp_path):
    [(email,)] = sql(api, "SELECT email FROM users WHERE NOT is_system")
    other = ApiClient(api, SessionFile(tmp_path / "other"), wait=lambda _s: None)
    with pytest.raises(ForbiddenError):
        other.login(email, "wrong horse battery staple", code=no_code)
    assert other.login(email, PASSWORD, code=no_code)["user"]["email"] == email


def test_files_go_up_at_once_and_in_parts(api, signed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "PART_BYTES", 1000)
    paths = [tmp_path / f"{n}.txt" for n in range(3)]
    for path in paths:
        path.write_text(path.name * 500)
    sent = signed_in.upload(paths[:2], tags=["travel", "2024"])
    assert [each["filename"] for each in sent] == ["0.txt", "1.txt"]
    assert [each["filename"] for each in signed_in.upload(paths[:1])] == ["0.txt"]
    signed_in.upload_large(paths[2])
    rows = sql(
        api, "SELECT filename, file_size_bytes, tags FROM files ORDER BY created_at, filename"
    )
    assert sorted(rows) == [
        ("0.txt", 2500, []),
        ("0.txt", 2500, ["travel", "2024"]),
        ("1.txt", 2500, ["travel", "2024"]),
        ("2.txt", 2500, []),
    ]
    groups = signed_in.duplicates()["duplicate_groups"]
    (spare,) = groups[0]["duplicates"]
    gone = signed_in.delete_duplicates([spare["file"]["id"]])
    assert (gone["deleted_count"], gone["space_freed_bytes"]) == (1, 2500)


def test_problems_are_our_errors_and_a_busy_server_is_asked_again(signed_in):
    with pytest.raises(InvalidError, match="query/q"):
        signed_in.search("")
    with pytest.raises(MissingError):
        signed_in._mine.call("GET", "/duplicates/" + "0" * 64)
    waits, answers = [], iter([503, 429, 200])

    def serve(_request):
        return httpx.Response(next(answers), headers={"Retry-After": "7"}, json={"detail": "d"})

    transport = httpx.MockTransport(serve)
    with httpx.Client(base_url="http://localhost", transport=transport) as http:
        assert Transport(http, wait=waits.append).call("GET", "/x") == {"detail": "d"}
    assert waits == [7, 7]


def test_a_server_that_is_away_is_said_to_be_so(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with (
        httpx.Client(base_url=url) as http,
        pytest.raises(BusyError, match="does not answer"),
    ):
        Transport(http, wait=lambda _s: None).call("GET", "/healthz")


@pytest.mark.parametrize("url", ["http://files.example.com", "ftp://localhost", "files"])
def test_passwords_go_over_https_only(tmp_path, url):
    with pytest.raises(ForbiddenError, match="https"), open_client(SessionFile(tmp_path), url):
        pass


def test_the_command_line_signs_in_and_uploads(database_url, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {
        "FILEORGANIZER_HOME": str(tmp_path / "server"),
        "FILEORGANIZER_DATABASE_URL": database_url.replace("+psycopg", ""),
        "FILEORGANIZER_API_PORT": str(port),
    }
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "api.main"],
            env={**os.environ, **given},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        name = f"user{secrets.token_hex(4)}"
        body = {"email": f"{name}@example.com", "password": PASSWORD, "username": name}
        assert httpx.post(f"{url}/v1/auth/register", json=body).status_code == 201
        monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "mine"))
        folder = tmp_path / "scans"
        folder.mkdir()
        (folder / "a.txt").write_text("a")
        (folder / "b.txt").write_text("b")
        run = CliRunner().invoke
        said = run(command, ["login", body["email"], "--url", url, "--json"], input=PASSWORD + "\n")
        assert said.exit_code == 0, said.output
        assert json.loads(said.stdout)["user"]["username"] == name
        wrong = run(command, ["login", body["email"], "--url", url], input="no such thing here\n")
        assert wrong.exit_code == 2
        sent = run(command, ["upload", str(folder), "--tag", "2024", "--json"])
        assert sent.exit_code == 0, sent.output
        assert len(json.loads(sent.stdout)["file_ids"]) == 2
        assert run(command, ["upload", str(tmp_path / "nothing")]).exit_code == 2
        assert run(command, ["logout"]).exit_code == 0
        assert run(command, ["submit"]).exit_code == 2
    finally:
        server.terminate()
        assert server.wait(timeout=60) in (0, -15)


def _wait_for(url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v1/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the API did not start")
