"""Resumable uploads as tus 1.0 has them, through kills and strangers."""

import base64
import hashlib
import os

import pytest
from api_world import api, app_of, newcomer, sql
from starlette.testclient import TestClient

from api.uploads import tus
from storage.opening import open_store

__all__ = ["api"]
pytestmark = pytest.mark.service

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


def b64(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(raw).decode()


def begin(api: TestClient, me, size: int, **metadata: str):
    pairs = ",".join(f"{name} {b64(value)}" for name, value in metadata.items())
    headers = {**me.headers, **TUS, "Upload-Length": str(size), "Upload-Metadata": pairs}
    return api.post("/v1/uploads", headers=headers)


def patch(api: TestClient, me, url: str, offset: int, data: bytes, *checksum: str):
    headers = {**me.headers, **PATCH, "Upload-Offset": str(offset)}
    for text in checksum:
        headers["Upload-Checksum"] = text
    return api.patch(url, headers=headers, content=data)


def look(api: TestClient, me, url: str):
    return api.head(url, headers={**me.headers, **TUS})


def stored(api: TestClient) -> list[str]:
    with open_store(app_of(api).state.settings.storage_url) as store:
        return [row.key for page in store.list_pages() for row in page.rows]


def test_what_is_spoken_is_told_without_a_token(api):
    answer = api.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,checksum,expiration,termination"
    assert answer.headers["tus-checksum-algorithm"] == "sha256"
    assert answer.headers["tus-max-size"] == "500000000000"


def test_pieces_become_one_file_with_its_hashes(api, monkeypatch):
    monkeypatch.setattr(tus, "SEGMENT_BYTES", 1 << 20)
    me = newcomer(api, plan="pro")
    data = os.urandom(5_000_000)
    answer = begin(api, me, len(data), filename="film.mkv", category="Videos", tags='["a"]')
    assert answer.status_code == 201, answer.text
    url = answer.headers["location"]
    assert "upload-expires" in answer.headers
    assert sql(api, "SELECT storage_reserved_bytes FROM users WHERE id = %s", me.id) == [
        (len(data),)
    ]
    offset = 0
    for size in (1, 2_500_000, 0, 1_000_000, 1_499_999):
        piece = data[offset : offset + size]
        answer = patch(api, me, url, offset, piece, f"sha256 {b64(hashlib.sha256(piece).digest())}")
        assert answer.status_code == 204, answer.text
        offset += size
        assert answer.headers["upload-offset"] == str(offset)
        head = look(api, me, url)
        assert (head.headers["upload-offset"], head.headers["upload-length"]) == (
            str(offset),
            str(len(data)),
        )
        assert head.headers["cache-control"] == "no-store"
    where = answer.headers["content-location"]
    file_id = where.rpartition("/")[2]
    row = sql(
        api,
        "SELECT filename, category, tags, sha256_hash, md5_hash FROM files WHERE id = %s",
        file_id,
    )
    assert row == [
        (
            "film.mkv",
            "Videos",
            ["a"],
            hashlib.sha256(data).hexdigest(),
            hashlib.md5(data, usedforsecurity=False).hexdigest(),
        )
    ]
    assert stored(api) == [f"tenants/{me.id}/{file_id}"], "no segment is left"
    assert sql(
        api, "SELECT storage_used_bytes, storage_reserved_bytes FROM users WHERE id = %s", me.id
    ) == [(len(data), 0)]
    assert sql(api, "SELECT count(*) FROM outbox_events") == [(1,)]


def test_a_wrong_checksum_counts_nothing(api):
    me = newcomer(api)
    url = begin(api, me, 10).headers["location"]
    answer = patch(api, me, url, 0, b"01234", f"sha256 {b64(hashlib.sha256(b'x').digest())}")
    assert answer.status_code == 460
    assert answer.json()["status"] == 460
    assert look(api, me, url).headers["upload-offset"] == "0"
    assert stored(api) == []
    assert patch(api, me, url, 0, b"01234", "md5 AAAA").status_code == 400
    assert patch(api, me, url, 0, b"01234", "sha256 ?").status_code == 422
    url = begin(api, me, 2, sha256="0" * 64).headers["location"]
    assert patch(api, me, url, 0, b"01").status_code == 460
    assert stored(api) == []
    assert sql(api, "SELECT count(*) FROM files") == [(0,)]


def test_the_protocol_is_held_to(api):
    me = newcomer(api)
    url = begin(api, me, 10).headers["location"]
    wrong = patch(api, me, url, 3, b"x")
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, "0")
    assert patch(api, me, url, 0, b"x" * 11).status_code == 413
    plain = {**me.headers, **TUS, "Upload-Offset": "0", "Content-Type": "text/plain"}
    assert api.patch(url, headers=plain, content=b"x").status_code == 415
    assert api.head(url, headers=me.headers).status_code == 412
    assert api.post("/v1/uploads", headers={**me.headers, **TUS}).status_code == 400
    assert begin(api, me, 10**12).status_code == 413
    assert begin(api, me, 1, category="Nonsense").status_code == 422
    bad = {**me.headers, **TUS, "Upload-Length": "1", "Upload-Metadata": "filename ?"}
    assert api.post("/v1/uploads", headers=bad).status_code == 422
    assert stored(api) == []
    empty = begin(api, me, 0, filename="empty")
    assert "content-location" in empty.headers


def test_an_upload_that_was_ended_gives_its_promise_back(api):
    me = newcomer(api)
    url = begin(api, me, 100).headers["location"]
    patch(api, me, url, 0, b"x" * 50)
    assert len(stored(api)) == 1
    assert api.delete(url, headers={**me.headers, **TUS}).status_code == 204
    assert look(api, me, url).status_code == 404
    assert stored(api) == []
    assert sql(api, "SELECT storage_reserved_bytes FROM users WHERE id = %s", me.id) == [(0,)]


def test_an_upload_that_waited_too_long_is_gone(api):
    me = newcomer(api)
    url = begin(api, me, 100).headers["location"]
    sql(api, "UPDATE upload_sessions SET expires_at = now() - interval '1 second'")
    assert look(api, me, url).status_code == 410
    assert patch(api, me, url, 0, b"x").status_code == 410


def test_what_a_killed_server_left_goes_on(api):
    me = newcomer(api)
    url = begin(api, me, 10, filename="a").headers["location"]
    assert patch(api, me, url, 0, b"01234").status_code == 204
    # A server that was killed still holds the upload, and a temporary file of it is there.
    settings = app_of(api).state.settings
    session_id = url.rpartition("/")[2]
    with open_store(settings.storage_url) as store:
        half = store.take_in(f"tenants/{me.id}/{session_id}", mark=session_id)
        half.write(b"half")
    sql(
        api,
        "UPDATE upload_sessions SET held_by = gen_random_uuid(),"
        " held_until = now() + interval '1 hour'",
    )
    held = patch(api, me, url, 5, b"56789")
    assert (held.status_code, held.headers["retry-after"]) == (423, "15")
    sql(api, "UPDATE upload_sessions SET held_until = now()")
    # The last bytes were counted, and then it died: looking at the upload makes it a file.
    key = f"uploads/{me.id}/{session_id}/rest"
    with open_store(settings.storage_url) as store, store.take_in(key, mark="rest") as rest:
        rest.write(b"56789")
        rest.publish()
    sql(
        api,
        "UPDATE upload_sessions SET received_bytes = 10, segments = segments || %s",
        [key],
    )
    head = look(api, me, url)
    assert head.headers["upload-offset"] == "10"
    assert head.headers["content-location"] == f"/v1/files/{session_id}"
    assert sql(api, "SELECT sha256_hash FROM files") == [
        (hashlib.sha256(b"0123456789").hexdigest(),)
    ]
    assert stored(api) == [f"tenants/{me.id}/{session_id}"]


def test_another_account_finds_no_upload(api):
    me, stranger = newcomer(api), newcomer(api)
    url = begin(api, me, 10).headers["location"]
    nobody = url.rpartition("/")[0] + "/3fa85f64-5717-4562-b3fc-2c963f66afa6"
    for ask in (
        lambda url: look(api, stranger, url),
        lambda url: patch(api, stranger, url, 0, b"x"),
        lambda url: api.delete(url, headers={**stranger.headers, **TUS}),
    ):
        theirs, missing = ask(url), ask(nobody)
        assert theirs.status_code == missing.status_code == 404
        if theirs.content:
            assert theirs.json() | {"request_id": 0} == missing.json() | {"request_id": 0}
    assert look(api, me, url).headers["upload-offset"] == "0"
