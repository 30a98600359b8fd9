"""Uploads: streamed, hashed, promised, kept; hostile names never become keys."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_world import api, app_of, newcomer, sql
from starlette.testclient import TestClient

from storage.opening import open_store

__all__ = ["api"]
pytestmark = pytest.mark.service

UPLOADED = {
    "id",
    "filename",
    "size_bytes",
    "category",
    "storage_path",
    "thumbnail_url",
    "md5_hash",
    "created_at",
}
UPLOAD = "/v1/files/upload"


def stored_keys(api: TestClient) -> list[str]:
    """All keys in the storage for uploads."""
    with open_store(app_of(api).state.settings.storage_url) as store:
        return [row.key for page in store.list_pages() for row in page.rows]


def test_an_upload_has_its_hashes_and_the_specifications_fields(api):
    me = newcomer(api)
    data = os.urandom(3_000_000)
    answer = api.post(
        UPLOAD,
        headers=me.headers,
        files={"file": ("photo.jpg", data, "image/jpeg")},
        data={"category": "Images", "tags": ["vacation", "2024"]},
    )
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"file"}
    file = answer.json()["file"]
    assert set(file) == UPLOADED
    assert (file["filename"], file["size_bytes"], file["category"]) == (
        "photo.jpg",
        len(data),
        "Images",
    )
    assert file["md5_hash"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert file["thumbnail_url"] is None
    assert me.id not in file["storage_path"]
    [(sha256, tags, version)] = sql(
        api, "SELECT sha256_hash, tags, version FROM files WHERE id = %s", file["id"]
    )
    assert (sha256, tags, version) == (hashlib.sha256(data).hexdigest(), ["vacation", "2024"], 1)
    assert stored_keys(api) == [f"tenants/{me.id}/{file['id']}"]


def test_repeated_files_are_as_many_rows_under_either_name(api):
    me = newcomer(api)
    parts = [
        ("files", ("a.txt", b"a")),
        ("file", ("b.txt", b"bb")),
        ("files", ("c.txt", b"")),
    ]
    answer = api.post(UPLOAD, headers=me.headers, files=parts, data={"tags": '["x", "y", "x"]'})
    assert answer.status_code == 201, answer.text
    files = answer.json()["files"]
    assert [(file["filename"], file["size_bytes"]) for file in files] == [
        ("a.txt", 1),
        ("b.txt", 2),
        ("c.txt", 0),
    ]
    assert all(set(file) == UPLOADED for file in files)
    assert sql(api, "SELECT tag_name, usage_count FROM file_tags ORDER BY 1") == [
        ("x", 3),
        ("y", 3),
    ]
    assert len(stored_keys(api)) == 3


@pytest.mark.parametrize(
    ("parts", "fields", "status"),
    [
        ({"file": ("a", b"a")}, {"category": "Nonsense"}, 422),
        ({"file": ("a", b"a")}, {"tags": "[broken"}, 422),
        ({"other": ("a", b"a")}, {}, 422),
    ],
)
def test_what_is_refused_leaves_nothing(api, parts, fields, status):
    me = newcomer(api)
    answer = api.post(UPLOAD, headers=me.headers, files=parts, data=fields)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert nothing_is_left(api, me)


def nothing_is_left(api: TestClient, me) -> bool:
    stored, promised = sql(
        api,
        "SELECT storage_used_bytes, storage_reserved_bytes FROM users WHERE id = %s",
        me.id,
    )[0]
    uploads = sql(api, "SELECT coalesce(sum(used), 0) FROM usage_counters")[0][0]
    left = [row for row in stored_keys(api) if "/uploads/" not in f"/{row}"]
    jobs = sql(api, "SELECT count(*) FROM organization_jobs")[0][0]
    return (stored, promised, uploads, left, jobs) == (0, 0, 0, [], 0)


def test_no_form_is_415_and_a_cut_form_is_422(api):
    me = newcomer(api)
    assert api.post(UPLOAD, headers=me.headers, json={}).status_code == 415
    cut = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
    headers = {**me.headers, "Content-Type": "multipart/form-data; boundary=x"}
    assert api.post(UPLOAD, headers=headers, content=cut).status_code == 422
    assert api.post(UPLOAD, headers=headers, content=b"no form at all").status_code == 422
    assert api.post(UPLOAD, files={"file": ("a", b"")}).status_code == 401
    assert nothing_is_left(api, me)


def test_one_job_takes_what_arrives_before_it_begins(api):
    me = newcomer(api, plan="pro")
    for n in range(3):
        api.post(UPLOAD, headers=me.headers, files={"file": (f"{n}", b"x")})
    jobs = sql(api, "SELECT id::text, status, entitlement_snapshot FROM organization_jobs")
    assert [(job[1], job[2]["plan"]) for job in jobs] == [("pending", "pro")]
    launches = sql(api, "SELECT job_id::text, payload ->> 'deployment' FROM outbox_events")
    assert launches == [(jobs[0][0], "uploaded/uploaded")]
    sql(api, "UPDATE organization_jobs SET status = 'running'")
    api.post(UPLOAD, headers=me.headers, files={"file": ("4", b"x")})
    assert len(sql(api, "SELECT id FROM organization_jobs")) == 2


HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\system32",
    "/absolute/path",
    "a/../../b",
    "%2e%2e%2fescape",
    "con",
    "nul.txt",
    "a\u202egnp.exe",
    "\u0000zero",
    "line\nbreak",
    "x" * 2000,
    "-rf",
    "$(touch pwned)",
    "`id`",
    "'; DROP TABLE files; --",
    '"quoted"',
    "tenants/other/key",
    ".fileorganizer/trash/x",
    "\u00e9\u0301\u200b",
    "\U0001f4a9" * 100,
    " ",
    ".",
    "..",
    "...",
    "~root",
]


def test_three_hundred_hostile_names_never_reach_a_key(api):
    me = newcomer(api, plan="pro")
    names = [f"{hostile}{n or ''}" for hostile in HOSTILE for n in range(12)]
    assert len(names) == 300
    ids = []
    for start in range(0, 300, 60):
        parts = [("files", (name, b"x")) for name in names[start : start + 60]]
        answer = api.post(UPLOAD, headers=me.headers, files=parts)
        assert answer.status_code == 201, answer.text
        ids += [file["id"] for file in answer.json()["files"]]
    assert sorted(stored_keys(api)) == sorted(f"tenants/{me.id}/{file_id}" for file_id in ids)
    rows = sql(api, "SELECT filename, storage_key, storage_path FROM files")
    assert all(not set(name) & set("/\\\n\0") and len(name) <= 500 for name, _, _ in rows)
    assert {key for _, key, _ in rows} == set(ids)
    settings = app_of(api).state.settings
    outside = [path for path in settings.home_path.parent.rglob("*") if "passwd" in path.name]
    assert outside == []


def test_the_day_and_the_size_of_a_file_have_limits(api):
    me = newcomer(api)
    for n in range(10):
        answer = api.post(UPLOAD, headers=me.headers, files={"file": (f"{n}", b"x")})
        assert answer.status_code == 201
    answer = api.post(UPLOAD, headers=me.headers, files={"file": ("11", b"x")})
    assert (answer.status_code, answer.json()["limit"]) == (429, "uploads_per_day")
    assert 0 < int(answer.headers["retry-after"]) <= 86_401
    assert sql(api, "SELECT used FROM usage_counters") == [(10,)]
    assert len(stored_keys(api)) == 10


def test_what_does_not_fit_is_refused_and_the_last_byte_fits(api):
    me = newcomer(api)
    room = 100_000
    sql(
        api,
        "UPDATE users SET storage_quota_gb = 1, storage_used_bytes = 1000000000 - %s WHERE id = %s",
        room,
        me.id,
    )
    over = api.post(UPLOAD, headers=me.headers, files={"file": ("a", b"x" * (room + 1))})
    assert (over.status_code, over.json()["limit"]) == (402, "storage_bytes")
    fits = api.post(UPLOAD, headers=me.headers, files={"file": ("a", b"x" * room)})
    assert fits.status_code == 201
    assert sql(
        api, "SELECT storage_used_bytes, storage_reserved_bytes FROM users WHERE id = %s", me.id
    ) == [(1_000_000_000, 0)]


def test_bytes_of_many_uploads_at_the_edge_of_the_quota_are_never_over(api):
    me = newcomer(api, plan="pro")
    size, room = 10_000, 25
    sql(
        api,
        "UPDATE users SET storage_quota_gb = 1, storage_used_bytes = 1000000000 - %s WHERE id = %s",
        size * room,
        me.id,
    )

    def upload(n: int) -> int:
        files = {"file": (f"{n}", bytes([n % 256]) * size)}
        return api.post(UPLOAD, headers=me.headers, files=files).status_code

    with ThreadPoolExecutor(64) as threads:
        statuses = list(threads.map(upload, range(256)))
    assert sorted(set(statuses)) == [201, 402]
    assert statuses.count(201) == room
    used, promised = sql(
        api, "SELECT storage_used_bytes, storage_reserved_bytes FROM users WHERE id = %s", me.id
    )[0]
    assert (used, promised) == (1_000_000_000, 0)
    assert sql(api, "SELECT sum(delta_bytes)::bigint FROM storage_ledger")[0][0] == size * room
    assert len(stored_keys(api)) == room
    assert sql(api, "SELECT sum(files)::int FROM file_counts") == [(room,)]


def test_a_read_only_account_uploads_nothing(api):
    me = newcomer(api)
    sql(api, "UPDATE users SET storage_quota_gb = 0, storage_used_bytes = 1 WHERE id = %s", me.id)
    answer = api.post(UPLOAD, headers=me.headers, files={"file": ("a", b"x")})
    assert answer.status_code == 403
